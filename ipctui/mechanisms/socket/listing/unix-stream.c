/* unix-stream: a stream at a path instead of a port */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un at = { AF_UNIX, "/tmp/demo.sock" };

static void client(void)
{
    char data[64];
    int small = 2048, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    connect(fd, (struct sockaddr *)&at, sizeof at);
    for (int i = 1; i <= 1000; i++) {
        int size = snprintf(data, sizeof data, "client:%d\n", i);
        send(fd, data, size, MSG_NOSIGNAL);
    }
    shutdown(fd, SHUT_WR);
    while (recv(fd, data, sizeof data, 0) > 0)
        ;
    close(fd);
}

static void server(void)
{
    char data[4096];
    int door = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(door, (struct sockaddr *)&at, sizeof at) < 0
        && errno == EADDRINUSE) {
        unlink(at.sun_path);            /* the path outlived its server */
        bind(door, (struct sockaddr *)&at, sizeof at);
    }
    listen(door, 1);
    for (;;) {
        int fd = accept(door, NULL, NULL);
        while (recv(fd, data, sizeof data, 0) > 0)
            ;
        send(fd, "done\n", 5, MSG_NOSIGNAL);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "client") == 0)
        client();
    else
        server();
    return 0;
}
