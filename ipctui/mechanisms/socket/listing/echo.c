/* echo: one server watches all its clients and sends back what comes */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in at = { .sin_family = AF_INET };

static void client(void)
{
    char data[64];
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    connect(fd, (struct sockaddr *)&at, sizeof at);
    for (int i = 1; i <= 1000; i++) {
        int size = snprintf(data, sizeof data, "client:%d\n", i);
        send(fd, data, size, MSG_NOSIGNAL);
        recv(fd, data, size, MSG_WAITALL);
    }
    close(fd);
}

static void server(void)
{
    char data[4096];
    struct pollfd fds[64];
    int count = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    bind(door, (struct sockaddr *)&at, sizeof at);
    listen(door, 8);
    fds[0] = (struct pollfd){ door, POLLIN, 0 };
    for (;;) {
        poll(fds, count, -1);
        if (fds[0].revents && count < 64)
            fds[count++] = (struct pollfd){ accept(door, NULL, NULL),
                                            POLLIN, 0 };
        for (int i = count - 1; i > 0; i--) {
            if (!fds[i].revents)
                continue;
            ssize_t got = recv(fds[i].fd, data, sizeof data, 0);
            if (got > 0) {
                send(fds[i].fd, data, got, MSG_NOSIGNAL);
            } else {                    /* end of file: the client left */
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        }
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
