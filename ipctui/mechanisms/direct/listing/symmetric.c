/* symmetric: both name the other.  symmetric q p &  symmetric p q send */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t address(struct sockaddr_un *to, const char *name)
{
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;           /* sun_path[0] is 0: abstract */
    return offsetof(struct sockaddr_un, sun_path) + 1
        + snprintf(to->sun_path + 1, sizeof to->sun_path - 1, "/%s", name);
}

int main(int argc, char *argv[])
{
    struct sockaddr_un un;
    struct ucred who;
    socklen_t length = sizeof who;
    char data[4096], pair[64];
    int door = socket(AF_UNIX, SOCK_SEQPACKET, 0), link;

    if (argc < 3 || bind(door, (void *)&un, address(&un, argv[1])) == -1
        || listen(door, 64) == -1)      /* EADDRINUSE: name is taken */
        return 1;
    if (argc > 3) {                     /* send(argv[2], message) */
        link = socket(AF_UNIX, SOCK_SEQPACKET, 0);
        snprintf(pair, sizeof pair, "%.30s+%.30s", argv[1], argv[2]);
        if (bind(link, (void *)&un, address(&un, pair)) == -1 || connect(
                link, (void *)&un, address(&un, argv[2])) == -1)
            return 1;                   /* ECONNREFUSED: nobody is */
        while (send(link, "hello", 5, MSG_NOSIGNAL) != -1)
            sleep(1);
    } else {                            /* receive(argv[2], message) */
        link = accept(door, NULL, NULL);
        getsockopt(link, SOL_SOCKET, SO_PEERCRED, &who, &length);
        for (ssize_t n; (n = recv(link, data, sizeof data, 0)) > 0; )
            printf("%s (%d): %.*s\n", argv[2], who.pid, (int)n, data);
    }
    return 0;
}
