/* rights: a descriptor sent and closed: the other can send, we cannot */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void give(int to, int right)         /* MACH_MSG_TYPE_MOVE_SEND */
{
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
    struct iovec part = { "right", 5 };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &c, .msg_controllen = sizeof c };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&m);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &right, sizeof(int));
    if (sendmsg(to, &m, MSG_NOSIGNAL) != -1)      /* EPIPE: it stays here */
        close(right);
}

static int take(int from)
{
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
    char text[8];
    struct iovec part = { text, sizeof text };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &c, .msg_controllen = sizeof c };
    int right = -1;

    if (recvmsg(from, &m, MSG_CMSG_CLOEXEC) > 0 && CMSG_FIRSTHDR(&m))
        memcpy(&right, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
    return right;
}

int main(void)
{
    int port[2], bob[2];
    char text[64];

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, bob);
    if (fork() == 0)                                /* bob: no right yet */
        return send(take(bob[0]), "bob", 3, MSG_NOSIGNAL) == -1;
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, port);
    send(port[1], "alice", 5, MSG_NOSIGNAL);
    give(bob[1], port[1]);                          /* now only bob can */
    for (int number = 0; number < 2; number++)
        printf("%.*s\n", (int)recv(port[0], text, sizeof text, 0), text);
    return wait(NULL) == -1;
}
