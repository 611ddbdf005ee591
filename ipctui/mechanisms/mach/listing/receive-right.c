/* receive-right: the receiving end is handed on with what waits in it */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void hand(int through, int *right, int out)
{
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
    char text[] = "right";
    struct iovec part = { text, sizeof text };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &c, .msg_controllen = sizeof c };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&m);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), right, sizeof(int));
    if (out) {
        sendmsg(through, &m, MSG_NOSIGNAL);
        close(*right);                      /* one receiver: ours to keep */
    } else if (recvmsg(through, &m, MSG_CMSG_CLOEXEC) > 0)
        memcpy(right, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
}

int main(void)
{
    int port[2], second[2], right = -1;
    char text[64];

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, port);
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, second);
    for (int number = 1; number <= 4; number++)
        send(port[1], text, snprintf(text, sizeof text, "%d", number), 0);
    if (fork() == 0) {
        close(port[0]);
        hand(second[0], &right, 0);
        while (recv(right, text, sizeof text, MSG_DONTWAIT) > 0)
            printf("second: %c\n", text[0]);    /* 3, then 4 */
        return 0;
    }
    for (int number = 1; number <= 2; number++) {
        recv(port[0], text, sizeof text, 0);
        printf("first: %c\n", text[0]);
    }
    fflush(stdout);
    hand(second[1], &port[0], 1);
    return wait(NULL) == -1;
}
