/* matchmaker: ask for the port first (PMAPPROC_GETPORT, RFC 1833) */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static uint32_t ask(int port, const uint32_t *call, size_t size)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    uint32_t reply[7] = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    connect(fd, (struct sockaddr *)&to, sizeof to);
    send(fd, call, size, 0);
    recv(fd, reply, sizeof reply, 0);
    close(fd);
    return ntohl(reply[6]);         /* the first word of the result */
}

int main(void)
{
    uint32_t getport[14] = { htonl(1), htonl(0), htonl(2),
        htonl(100000), htonl(2), htonl(3),   /* portmapper, GETPORT */
        0, 0, 0, 0,                          /* AUTH_NONE, twice */
        htonl(0x20000099), htonl(1),         /* which program? */
        htonl(IPPROTO_UDP), 0 };
    uint32_t null[10] = { htonl(2), htonl(0), htonl(2),
        htonl(0x20000099), htonl(1), htonl(0) };
    int port = ask(30111, getport, sizeof getport);

    if (!port)
        return 1;                   /* nobody has registered it */
    ask(port, null, sizeof null);
    printf("the server is at %d, wherever it moves\n", port);
    return 0;
}
