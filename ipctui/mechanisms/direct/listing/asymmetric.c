/* asymmetric: the receiver names nobody, waits on all its links. */
#define _GNU_SOURCE
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 64

int main(void)
{
    struct sockaddr_un un = { AF_UNIX, "\0/q" };    /* abstract */
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + 3;
    struct pollfd fds[MOST] = { { .events = POLLIN } };
    pid_t pids[MOST];
    nfds_t count = 1;
    char data[4096];

    fds[0].fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (bind(fds[0].fd, (void *)&un, size) == -1
        || listen(fds[0].fd, MOST) == -1)
        return 1;
    while (poll(fds, count, -1) > 0) {              /* receive(id, m) */
        if (fds[0].revents && count < MOST) {
            struct ucred who;
            socklen_t length = sizeof who;
            int link = accept(fds[0].fd, NULL, NULL);

            getsockopt(link, SOL_SOCKET, SO_PEERCRED, &who, &length);
            fds[count] = (struct pollfd){ link, POLLIN, 0 };
            pids[count++] = who.pid;                /* told who it is */
        }
        for (nfds_t i = 1; i < count; i++)
            if (fds[i].revents) {
                ssize_t n = recv(fds[i].fd, data, sizeof data, 0);

                if (n > 0)
                    printf("from %d: %.*s\n", pids[i], (int)n, data);
                else
                    close(fds[i].fd), fds[i] = fds[--count];
            }
    }
    return 0;
}
