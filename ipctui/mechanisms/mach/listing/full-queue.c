/* full-queue: wait, time out, or be told: full-queue [timeout|told] */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    const char *full = argc > 1 ? argv[1] : "wait";
    struct timeval patience = { 0, 300000 };
    int pair[2], limit = 2304, flags = MSG_NOSIGNAL;
    char message[64];

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &limit, sizeof limit);
    if (fork() == 0) {
        close(pair[1]);
        while (recv(pair[0], message, sizeof message, 0) > 0)
            usleep(500000);                     /* slower than the sender */
        return 0;
    }
    close(pair[0]);
    if (!strcmp(full, "timeout"))
        setsockopt(pair[1], SOL_SOCKET, SO_SNDTIMEO, &patience,
            sizeof patience);
    if (!strcmp(full, "told"))
        flags |= MSG_DONTWAIT;
    for (int number = 1; number <= 20; number++) {
        struct pollfd room = { pair[1], POLLOUT, 0 };

        if (send(pair[1], message, sizeof message, flags) == -1
            && errno == EAGAIN && printf("full at %d\n", number)
            && !strcmp(full, "told"))
            poll(&room, 1, -1);                 /* the kernel says when */
    }
    return 0;
}
