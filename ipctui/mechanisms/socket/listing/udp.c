/* udp: datagrams, each whole, each by itself; both sides in one file */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at = { .sin_family = AF_INET };

static void sender(void)
{
    char data[64];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 1; ; i++) {
        int size = snprintf(data, sizeof data, "sender:%d\n", i);
        sendto(fd, data, size, 0, (struct sockaddr *)&at, sizeof at);
        usleep(50000);                  /* nobody says whether it came */
    }
}

static void receiver(void)
{
    char data[65536];
    struct sockaddr_in from;
    int small = 4096, fd = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    bind(fd, (struct sockaddr *)&at, sizeof at);
    for (;;) {
        socklen_t length = sizeof from;
        recvfrom(fd, data, sizeof data, 0,
                 (struct sockaddr *)&from, &length);
    }
}

int main(int argc, char **argv)
{
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);    /* 127.0.0.1 */
    at.sin_port = htons(5000);
    if (argc > 1 && strcmp(argv[1], "sender") == 0)
        sender();
    else
        receiver();
    return 0;
}
