/* named-byte: three sends, one read: a stream has no edges */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un name = { AF_UNIX, "\0pipe/demo" };
#define LENGTH (offsetof(struct sockaddr_un, sun_path) + 10)

int main(int argc, char *argv[])
{
    int pipe, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char data[4096];
    ssize_t size;

    if (argc > 1 && !strcmp(argv[1], "serve")) {
        bind(fd, (void *)&name, LENGTH);
        listen(fd, 0);                          /* CreateNamedPipe */
        while ((pipe = accept(fd, NULL, NULL)) != -1) {
            send(pipe, "@instance\n", 10, MSG_NOSIGNAL);
            do {
                usleep(50000);                /* meanwhile all three come */
                size = recv(pipe, data, sizeof data, 0);
                printf("one read of %zd bytes\n", size);
                send(pipe, "ok", 2, MSG_NOSIGNAL);  /* full duplex */
            } while (size > 0);
            close(pipe);                        /* DisconnectNamedPipe */
        }
        return 0;
    }
    if (connect(fd, (void *)&name, LENGTH) == -1)
        return 1;                               /* CreateFile */
    recv(fd, data, sizeof data, 0);             /* WaitNamedPipe */
    for (int number = 0; number < 3; number++)
        send(fd, "message\n", 8, MSG_NOSIGNAL);
    recv(fd, data, sizeof data, 0);
    return 0;
}
