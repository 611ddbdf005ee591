/* anonymous: two of three handles are inheritable, and exec keeps those */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int pipefd[2], settings;
    char number[12], data[4096];
    ssize_t size;

    if (argc > 1) {                         /* the new image */
        int r = atoi(argv[1]);              /* told on the command line */

        while ((size = read(r, data, sizeof data)) > 0)
            printf("%.*s", (int)size, data);
        return 0;                           /* end of file */
    }
    if (pipe2(pipefd, O_CLOEXEC) == -1)     /* neither is inheritable */
        return 1;
    settings = memfd_create("settings", MFD_CLOEXEC);
    fcntl(pipefd[0], F_SETFD, 0);           /* HANDLE_FLAG_INHERIT */
    fcntl(settings, F_SETFD, 0);
    snprintf(number, sizeof number, "%d", pipefd[0]);
    if (fork() == 0) {                      /* CreateProcess is both */
        execl("/proc/self/exe", argv[0], number, (char *)NULL);
        _exit(127);
    }
    close(pipefd[0]);
    if (write(pipefd[1], "hello\n", 6) == -1)
        return 1;
    close(pipefd[1]);                       /* the last write end */
    return wait(NULL) == -1;
}
