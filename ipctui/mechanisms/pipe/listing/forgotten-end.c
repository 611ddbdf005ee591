/* forgotten-end: the child keeps the write end that it never uses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_END 0
#define WRITE_END 1

int main(void)
{
    int fd[2];
    char data[4096];

    if (pipe(fd) == -1)
        return 1;
    fcntl(fd[WRITE_END], F_SETPIPE_SZ, 4096);

    if (fork() == 0) {
        ssize_t n;

        /* close(fd[WRITE_END]) is missing here: read never returns 0 */
        while ((n = read(fd[READ_END], data, sizeof data)) > 0)
            fwrite(data, 1, n, stdout);
        close(fd[READ_END]);
        return 0;
    }
    close(fd[READ_END]);
    for (int i = 1; i <= 20; i++) {
        int size = snprintf(data, sizeof data, "parent:%d tick\n", i);

        if (write(fd[WRITE_END], data, size) != size)
            break;
    }
    close(fd[WRITE_END]);               /* not the last write end */
    waitpid(-1, NULL, 0);               /* never returns */
    return 0;
}
