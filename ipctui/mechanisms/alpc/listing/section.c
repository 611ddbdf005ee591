/* section: the message lies in memory that both map; the port tells it */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096

static void server(int port, int section)   /* handle came by SCM_RIGHTS */
{
    char note[64], *view;

    if (!(fcntl(section, F_GET_SEALS) & F_SEAL_SHRINK))
        return;                             /* it could shrink: SIGBUS */
    view = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, section, 0);
    while (recv(port, note, sizeof note, 0) > 0) {
        printf("%.20s\n", view);            /* read where it lies */
        send(port, "ok", 2, MSG_NOSIGNAL);
    }
}

int main(void)
{
    int pair[2], section = memfd_create("section", MFD_ALLOW_SEALING);
    char note[64], *view;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == -1
        || ftruncate(section, SIZE) == -1)
        return 1;
    fcntl(section, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    view = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, section, 0);
    if (fork() == 0) {
        close(pair[0]);
        server(pair[1], section);
        return 0;
    }
    close(pair[1]);
    for (int number = 1; number <= 100; number++) {
        memset(view, 'a', 1024);            /* no system call */
        send(pair[0], "section 1024", 12, 0);
        recv(pair[0], note, sizeof note, 0);
    }
    close(pair[0]);
    wait(NULL);
    return 0;
}
