/* message: a port as a pair: one end only receives, the other only sends */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void allocate(int *receive, int *send_right) /* mach_port_allocate */
{
    int pair[2], limit = 2304;

    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
    shutdown(pair[0], SHUT_WR);         /* one direction, for good */
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &limit, sizeof limit);
    *receive = pair[0];
    *send_right = pair[1];
}

int main(void)
{
    int receive, send_right;
    char message[64];
    ssize_t size;

    allocate(&receive, &send_right);
    if (fork() == 0) {                  /* the task with the send right */
        close(receive);
        for (int number = 1; number <= 100; number++) {
            int length = snprintf(message, sizeof message, "%d", number);

            if (send(send_right, message, length, MSG_NOSIGNAL) == -1)
                return 1;               /* EPIPE: a dead name */
        }
        return 0;
    }
    close(send_right);                  /* the task that receives */
    while ((size = recv(receive, message, sizeof message, 0)) > 0)
        printf("%.*s\n", (int)size, message);
    wait(NULL);                         /* 0: no senders are left */
    return 0;
}
