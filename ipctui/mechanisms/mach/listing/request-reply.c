/* request-reply: the right to answer travels with the request */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static long message(int port, char *text, size_t size, int *right, int out)
{
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
    struct iovec part = { text, size };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &c, .msg_controllen = sizeof c };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&m);
    ssize_t got;

    if (!out) {
        got = recvmsg(port, &m, MSG_CMSG_CLOEXEC);
        if (got > 0 && (rights = CMSG_FIRSTHDR(&m)) != NULL)
            memcpy(right, CMSG_DATA(rights), sizeof(int));
        return got;
    }
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), right, sizeof(int));
    return sendmsg(port, &m, MSG_NOSIGNAL);
}

int main(void)
{
    int port[2], reply[2], once;
    char text[64] = "what time is it?";

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, port);
    if (fork() == 0) {                              /* the server */
        close(port[1]);
        while (message(port[0], text, sizeof text, &once, 0) > 0) {
            send(once, "noon", 4, MSG_NOSIGNAL);    /* once */
            close(once);                            /* and never again */
        }
        return 0;
    }
    close(port[0]);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, reply);  /* the client's port */
    message(port[1], text, strlen(text), &reply[1], 1);
    printf("%.*s\n", (int)recv(reply[0], text, sizeof text, 0), text);
    close(port[1]);
    return wait(NULL) == -1;
}
