/* tcp: a stream over a connection; both sides in one file */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at = { .sin_family = AF_INET };

static void client(void)
{
    char data[4096];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&at, sizeof at);
    for (int i = 1; i <= 1000; i++) {
        int size = snprintf(data, sizeof data, "client:%d\n", i);
        send(fd, data, size, MSG_NOSIGNAL);   /* may take only a part */
    }
    shutdown(fd, SHUT_WR);              /* half-close: we send no more */
    while (recv(fd, data, sizeof data, 0) > 0)
        ;                               /* and still read the answer */
    close(fd);
}

static void server(void)
{
    char data[4096];
    int small = 2048, door = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(door, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    bind(door, (struct sockaddr *)&at, sizeof at);
    listen(door, 1);
    for (;;) {
        int fd = accept(door, NULL, NULL);
        while (recv(fd, data, sizeof data, 0) > 0)
            ;                           /* a stream: no edges */
        send(fd, "done\n", 5, MSG_NOSIGNAL);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);    /* 127.0.0.1 */
    at.sin_port = htons(5000);
    if (argc > 1 && strcmp(argv[1], "client") == 0)
        client();
    else
        server();
    return 0;
}
