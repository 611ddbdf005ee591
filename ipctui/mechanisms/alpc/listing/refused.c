/* refused: a client may ask; the server says no, and hands nothing over */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS 1

static struct sockaddr_un name = { AF_UNIX, "\0connection-port" };
#define LENGTH (offsetof(struct sockaddr_un, sun_path) + 16)

int main(int argc, char *argv[])
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), asker, clients = 0;
    char text[256] = "";

    if (argc > 1 && !strcmp(argv[1], "serve")) {
        bind(fd, (void *)&name, LENGTH);
        listen(fd, 16);
        while ((asker = accept(fd, NULL, NULL)) != -1) {
            recv(asker, text, sizeof text, 0);
            if (clients < ACCEPTS) {
                clients++;              /* connect.c: a pair, SCM_RIGHTS */
                send(asker, "accepted", 9, MSG_NOSIGNAL);
            } else {
                send(asker, "refused", 8, MSG_NOSIGNAL);
            }
            close(asker);
        }
        return 0;
    }
    if (connect(fd, (void *)&name, LENGTH) == -1) {
        perror("no server");            /* ECONNREFUSED */
        return 1;
    }
    send(fd, "connect client", 15, 0);
    recv(fd, text, sizeof text, 0);
    puts(text);
    return strcmp(text, "accepted") != 0;
}
