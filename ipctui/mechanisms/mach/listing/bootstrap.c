/* bootstrap: a name is looked up once; what comes back is a send right */
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
    int names[2], printer[2], reply[2], right, known = -1;
    char text[64] = "register printer", ask[] = "lookup printer";

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, names);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, printer);
    if (fork() == 0) {                          /* the bootstrap server */
        close(names[1]);
        while (message(names[0], text, sizeof text, &right, 0) > 0)
            if (!strncmp(text, "register", 8))
                known = right;
            else
                message(right, text, 1, &known, 1); /* a copy of it */
        return 0;
    }
    close(names[0]);
    message(names[1], text, sizeof text, &printer[1], 1);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, reply);
    message(names[1], ask, sizeof ask, &reply[1], 1);
    message(reply[0], text, sizeof text, &right, 0);
    send(right, "page 1", 6, MSG_NOSIGNAL);
    printf("%.*s\n", (int)recv(printer[0], text, sizeof text, 0), text);
    close(names[1]);
    return wait(NULL) == -1;
}
