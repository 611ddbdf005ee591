/* many-writers: several children write into one pipe, the parent reads. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WRITERS 2
#define MESSAGE 6000                    /* above PIPE_BUF writes may mix */

static int writer(int out, char letter, int ignore)
{
    char message[MESSAGE];
    if (ignore)
        signal(SIGPIPE, SIG_IGN);
    memset(message, letter, sizeof message);
    message[sizeof message - 1] = '\n';
    while (write(out, message, sizeof message) > 0)
        ;
    close(out);
    return 0;
}

int main(int argc, char *argv[])
{
    int fd[2], ignore = argc > 1 && strcmp(argv[1], "ignore") == 0;
    char data[4096];

    if (pipe(fd) == -1)
        return 1;
    fcntl(fd[1], F_SETPIPE_SZ, 4096);
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0) {
            close(fd[0]);               /* the reader is the parent alone */
            return writer(fd[1], 'a' + i, ignore);
        }
    close(fd[1]);
    while (read(fd[0], data, sizeof data) > 0)
        ;
    close(fd[0]);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    return 0;
}
