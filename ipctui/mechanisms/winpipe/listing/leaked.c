/* leaked: the child holds the write end, too, and waits for itself */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int pipefd[2];
    char number[12], data[4096];
    ssize_t size;

    if (argc > 1) {
        int r = atoi(argv[1]);

        while ((size = read(r, data, sizeof data)) > 0)
            printf("%.*s", (int)size, data);
        return 0;                           /* never reached */
    }
    if (pipe2(pipefd, O_CLOEXEC) == -1)
        return 1;
    fcntl(pipefd[0], F_SETFD, 0);
    fcntl(pipefd[1], F_SETFD, 0);           /* the mistake */
    snprintf(number, sizeof number, "%d", pipefd[0]);
    if (fork() == 0) {
        execl("/proc/self/exe", argv[0], number, (char *)NULL);
        _exit(127);
    }
    close(pipefd[0]);
    if (write(pipefd[1], "hello\n", 6) == -1)
        return 1;
    close(pipefd[1]);                       /* not the last one */
    return wait(NULL) == -1;                /* and so this never ends */
}
