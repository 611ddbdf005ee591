/* pipe: a message larger than the pipe; "./a.out -n": non-blocking. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIZE 6000

int main(int argc, char *argv[])
{
    int nonblocking = argc > 1 && strcmp(argv[1], "-n") == 0;
    char data[SIZE];
    int ends[2];
    ssize_t n;

    if (pipe(ends) == -1)
        return 1;
    fcntl(ends[1], F_SETPIPE_SZ, 4096);
    if (fork() == 0) {
        close(ends[1]);
        while ((n = read(ends[0], data, 4096)) > 0) {
            printf("%zd bytes\n", n);
            usleep(200000);
        }
        return 0;
    }
    close(ends[0]);
    if (nonblocking)
        fcntl(ends[1], F_SETFL, O_NONBLOCK);
    memset(data, 's', SIZE);
    for (int i = 1; i <= 50; i++) {
        size_t done = 0;

        while (done < SIZE) {
            n = write(ends[1], data + done, SIZE - done);
            if (n == -1 && done == 0)
                break;          /* EAGAIN: refused as a whole */
            if (n > 0)
                done += n;      /* a short count: the kernel does not
                                   write the rest, this loop does */
            if (nonblocking)
                usleep(500000);
        }
        if (done == 0)
            fprintf(stderr, "refused: %s\n", strerror(errno));
    }
    return 0;
}
