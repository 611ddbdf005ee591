/* one-way: the parent writes into a pipe, its child reads from it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_END 0
#define WRITE_END 1

int main(int argc, char *argv[])
{
    int fd[2];
    char data[4096];

    if (argc > 1 && strcmp(argv[1], "ignore") == 0)
        signal(SIGPIPE, SIG_IGN);       /* write then fails with EPIPE */
    if (pipe(fd) == -1)
        return 1;
    fcntl(fd[WRITE_END], F_SETPIPE_SZ, 4096);

    if (fork() == 0) {
        ssize_t n;

        close(fd[WRITE_END]);           /* or end of file never comes */
        while ((n = read(fd[READ_END], data, sizeof data)) > 0)
            fwrite(data, 1, n, stdout);
        close(fd[READ_END]);
        return 0;
    }
    close(fd[READ_END]);
    for (int i = 1; i <= 200; i++) {
        int size = snprintf(data, sizeof data, "parent:%d tick\n", i);

        if (write(fd[WRITE_END], data, size) != size)
            break;
    }
    close(fd[WRITE_END]);               /* the child's end of file */
    waitpid(-1, NULL, 0);
    return 0;
}
