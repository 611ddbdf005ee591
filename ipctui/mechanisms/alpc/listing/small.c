/* small: up to 256 bytes go through the port's queue: copied in and out */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL 256

static void server(int port)
{
    char message[SMALL];
    ssize_t size;

    while ((size = recv(port, message, sizeof message, 0)) > 0)
        send(port, "ok", 2, MSG_NOSIGNAL);      /* the second copy: out */
}

int main(void)
{
    int pair[2];
    char message[SMALL], said[8];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1)
        return 1;
    if (fork() == 0) {
        close(pair[0]);
        server(pair[1]);
        return 0;
    }
    close(pair[1]);
    for (int number = 1; number <= 100; number++) {
        int size = snprintf(message, sizeof message, "client:%d", number);

        send(pair[0], message, size, 0);        /* the first copy: in */
        recv(pair[0], said, sizeof said, 0);    /* wait for the answer */
    }
    close(pair[0]);
    wait(NULL);
    return 0;
}
