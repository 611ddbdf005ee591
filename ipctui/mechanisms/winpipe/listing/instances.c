/* instances: one name, two instances; the third client has to wait */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define INSTANCES 2

static struct sockaddr_un name = { AF_UNIX, "\0pipe/demo" };
#define LENGTH (offsetof(struct sockaddr_un, sun_path) + 10)

int main(int argc, char *argv[])
{
    int pipe, fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char data[4096];

    if (argc > 1 && !strcmp(argv[1], "serve")) {
        bind(fd, (void *)&name, LENGTH);
        listen(fd, 0);
        for (int number = 1; number < INSTANCES; number++)
            if (fork() == 0)
                break;
        while ((pipe = accept(fd, NULL, NULL)) != -1) {
            send(pipe, "@instance\n", 10, MSG_NOSIGNAL);
            while (recv(pipe, data, sizeof data, 0) > 0)
                send(pipe, "ok", 2, MSG_NOSIGNAL);
            close(pipe);                    /* free for the next client */
        }
        return 0;
    }
    if (connect(fd, (void *)&name, LENGTH) == -1)
        return 1;
    recv(fd, data, sizeof data, 0);         /* until an instance is free */
    for (int number = 0; number < 10; number++) {
        send(fd, "message\n", 8, MSG_NOSIGNAL);
        recv(fd, data, sizeof data, 0);
        sleep(1);
    }
    return 0;
}
