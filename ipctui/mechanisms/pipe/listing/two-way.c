/* two-way: a pipe has one direction, so questions and answers take two. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int there[2], back[2];              /* [0] is read, [1] is written */
    char data[4096];
    ssize_t n;

    if (pipe(there) == -1 || pipe(back) == -1)
        return 1;
    fcntl(there[1], F_SETPIPE_SZ, 4096);
    fcntl(back[1], F_SETPIPE_SZ, 4096);

    if (fork() == 0) {
        close(there[1]);
        close(back[0]);
        while ((n = read(there[0], data, sizeof data)) > 0)
            if (write(back[1], data, n) != n)
                break;
        close(there[0]);
        close(back[1]);
        return 0;
    }
    close(there[0]);
    close(back[1]);
    for (int i = 1; i <= 200; i++) {
        int size = snprintf(data, sizeof data, "parent:%d tick\n", i);

        if (write(there[1], data, size) != size)
            break;
        n = read(back[0], data, sizeof data);   /* wait for the answer */
        if (n <= 0)
            break;
        fwrite(data, 1, n, stdout);
    }
    close(there[1]);
    close(back[0]);
    waitpid(-1, NULL, 0);
    return 0;
}
