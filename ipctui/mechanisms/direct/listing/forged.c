/* forged: q asks the kernel who knocks, and who bears the name said. */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t address(struct sockaddr_un *un, const char *name)
{
    *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
    return offsetof(struct sockaddr_un, sun_path) + 1
        + snprintf(un->sun_path + 1, 32, "/%s", name);  /* abstract */
}

static pid_t peer(int fd)
{
    struct ucred who = { 0 };
    socklen_t length = sizeof who;

    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length);
    return who.pid;                     /* of connect() or listen() */
}

int main(void)
{
    struct sockaddr_un un;
    char said[32] = "";
    int door = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    if (bind(door, (void *)&un, address(&un, "q")) || listen(door, 64))
        return 1;
    for (;;) {
        int link = accept(door, NULL, NULL);
        int probe = socket(AF_UNIX, SOCK_SEQPACKET, 0);

        if (recv(link, said, sizeof said - 1, 0) <= 0)
            continue;
        if (connect(probe, (void *)&un, address(&un, said)) == -1
            || peer(probe) != peer(link))
            printf("%d says that it is %s\n", peer(link), said);
        close(probe);
        close(link);
    }
}
