/* connect: handshake; argv[1] = "serve" or anything else for a client */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un name = { AF_UNIX, "\0connection-port" };
#define LENGTH (offsetof(struct sockaddr_un, sun_path) + 16)

static void handle(int fd, int *port, int give)   /* SCM_RIGHTS: unix(7) */
{
    char text[] = "accepted";
    union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } c;
    struct iovec part = { text, sizeof text };
    struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &c, .msg_controllen = sizeof c };
    struct cmsghdr *rights = CMSG_FIRSTHDR(&m);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    if (give) {
        memcpy(CMSG_DATA(rights), port, sizeof(int));
        sendmsg(fd, &m, MSG_NOSIGNAL);
    } else if (recvmsg(fd, &m, 0) > 0)
        memcpy(port, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
}

int main(int argc, char *argv[])
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0), pair[2], asker;
    char text[256];

    if (argc > 1 && !strcmp(argv[1], "serve")) {
        bind(fd, (void *)&name, LENGTH);          /* published */
        listen(fd, 16);
        while ((asker = accept(fd, NULL, NULL)) != -1) {
            recv(asker, text, sizeof text, 0);    /* "connect client" */
            socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
            handle(asker, &pair[1], 1);           /* its handle goes over */
            close(pair[1]);
            close(asker);
            recv(pair[0], text, sizeof text, 0);  /* private from now on */
            puts(text);
            close(pair[0]);
        }
    } else if (connect(fd, (void *)&name, LENGTH) == 0) {
        send(fd, "connect client", 15, 0);
        handle(fd, &asker, 0);
        send(asker, "hello", 6, MSG_NOSIGNAL);
    }
    return 0;
}
