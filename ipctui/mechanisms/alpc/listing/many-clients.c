/* many-clients: a private pair for each; one poll for all of them */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 4

static void client(int port, int who)
{
    char message[256], said[8];

    for (int number = 1; number <= 20; number++) {
        int size = snprintf(message, sizeof message, "%d:%d", who, number);

        send(port, message, size, MSG_NOSIGNAL);
        recv(port, said, sizeof said, 0);
    }
}

int main(void)
{
    struct pollfd ports[CLIENTS];
    char message[256];
    int pair[2], open = CLIENTS;

    for (int who = 0; who < CLIENTS; who++) {
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair);
        if (fork() == 0) {
            close(pair[0]);
            client(pair[1], who);
            return 0;
        }
        close(pair[1]);
        ports[who] = (struct pollfd){ pair[0], POLLIN, 0 };
    }
    while (open > 0 && poll(ports, CLIENTS, -1) > 0)
        for (int who = 0; who < CLIENTS; who++) {
            if (!ports[who].revents)
                continue;
            if (recv(ports[who].fd, message, sizeof message, 0) > 0)
                send(ports[who].fd, "ok", 2, MSG_NOSIGNAL);
            else {
                close(ports[who].fd);           /* this one has hung up */
                ports[who].fd = -1;
                open--;
            }
        }
    while (wait(NULL) > 0)
        ;
    return 0;
}
