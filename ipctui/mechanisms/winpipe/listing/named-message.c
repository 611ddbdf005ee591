/* named-message: three sends are three; a short read leaves the rest */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char *rest;              /* Linux drops it, so it is kept here */
static size_t left;

static size_t read_file(int pipe, char *buffer, size_t room)
{
    if (!left) {
        ssize_t length = recv(pipe, NULL, 0, MSG_PEEK | MSG_TRUNC);

        if (length <= 0)
            return 0;
        rest = realloc(rest, length);
        left = recv(pipe, rest, length, 0);
    }
    if (room > left)
        room = left;
    memcpy(buffer, rest, room);
    memmove(rest, rest + room, left -= room);
    return room;                /* left > 0: ERROR_MORE_DATA */
}

int main(void)
{
    int pair[2];
    char buffer[5];
    size_t size;

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
    if (fork() == 0) {
        close(pair[1]);
        while ((size = read_file(pair[0], buffer, sizeof buffer)) > 0)
            printf("%.*s%s\n", (int)size, buffer, left ? " ..." : "");
        return 0;
    }
    close(pair[0]);
    for (int number = 0; number < 3; number++)
        send(pair[1], "message", 7, MSG_NOSIGNAL);
    close(pair[1]);
    return wait(NULL) == -1;
}
