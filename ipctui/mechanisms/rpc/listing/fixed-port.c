/* fixed-port: where the server is stands in the client once and for all */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#define PORT 30500                  /* move the server: compile again */

int main(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons(PORT), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { .tv_usec = 500000 };
    uint32_t call[10] = { htonl(1), htonl(0), htonl(2),
        htonl(0x20000099), htonl(1), htonl(0) };   /* procedure NULL */
    uint32_t reply[6];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    connect(fd, (struct sockaddr *)&to, sizeof to);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    send(fd, call, sizeof call, 0);
    if (recv(fd, reply, sizeof reply, 0) == sizeof reply)
        puts("the server is there");
    else
        perror("nobody there");     /* ECONNREFUSED */
    close(fd);
    return 0;
}
