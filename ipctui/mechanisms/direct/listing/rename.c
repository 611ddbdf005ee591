/* rename: q becomes s; who names q is told that there is nobody. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int named(const char *name, int (*take)(int,
                 const struct sockaddr *, socklen_t))
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 1
        + snprintf(un.sun_path + 1, 32, "/%s", name);   /* abstract */
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    if (take(fd, (struct sockaddr *)&un, size) == 0)
        return fd;
    close(fd);
    return -1;
}

int main(int argc, char *argv[])
{
    if (argc > 1 && strcmp(argv[1], "q") == 0) {
        int door = named("q", bind), old = door;

        listen(door, 64);
        sleep(5);                       /* accept, recv ... */
        listen(door = named("s", bind), 64);    /* the new name first */
        close(old);                     /* now nobody is called q */
        return pause();
    }
    for (;; sleep(1)) {
        int link = named("q", connect); /* its program names q */

        if (link == -1 && errno == ECONNREFUSED)
            puts("there is no q");
        else if (send(link, "hello", 5, MSG_NOSIGNAL) == -1)
            puts("q has hung up");
        close(link);
    }
}
