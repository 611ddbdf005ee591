/* multicast: one send, a copy for every member of the group */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in group = { .sin_family = AF_INET };
static struct in_addr loopback;

static void sender(void)
{
    char data[64];
    unsigned char ttl = 0;              /* not past this machine */
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &loopback, sizeof loopback);
    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl);
    for (int i = 1; ; i++) {
        int size = snprintf(data, sizeof data, "sender:%d\n", i);
        sendto(fd, data, size, 0, (struct sockaddr *)&group, sizeof group);
        usleep(100000);
    }
}

static void receiver(void)
{
    char data[65536];
    int yes = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ip_mreq join = { group.sin_addr, loopback };
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bind(fd, (struct sockaddr *)&group, sizeof group);
    setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join);
    while (recvfrom(fd, data, sizeof data, 0, NULL, NULL) >= 0)
        ;
}

int main(int argc, char **argv)
{
    loopback.s_addr = htonl(INADDR_LOOPBACK);       /* 127.0.0.1 */
    inet_aton("239.255.0.7", &group.sin_addr);
    group.sin_port = htons(5000);
    if (argc > 1 && strcmp(argv[1], "sender") == 0)
        sender();
    else
        receiver();
    return 0;
}
