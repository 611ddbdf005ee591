/* sync-nonblocking: the same loop on O_NONBLOCK: it asks again at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define PRODUCERS 2

static int start_producer(int number)
{
    int end[2];
    if (pipe(end) != 0)
        return -1;
    if (fork() == 0) {
        close(end[0]);
        for (int i = 1; i <= 5; i++) {
            usleep(200000 + 80000 * number);
            dprintf(end[1], "producer%d:%d\n", number, i);
        }
        _exit(0);
    }
    close(end[1]);
    fcntl(end[0], F_SETFL, O_NONBLOCK);
    return end[0];
}

int main(void)
{
    int ends[PRODUCERS], open_ends = PRODUCERS;
    char buffer[4096];

    for (int p = 0; p < PRODUCERS; p++)
        ends[p] = start_producer(p + 1);
    while (open_ends > 0) {
        for (int p = 0; p < PRODUCERS; p++) {
            if (ends[p] < 0)
                continue;
            ssize_t got = read(ends[p], buffer, sizeof buffer);
            if (got > 0) {
                fwrite(buffer, 1, (size_t)got, stdout);
                /* other work: one unit */
            } else if (got == 0) {
                close(ends[p]);
                ends[p] = -1;
                open_ends--;
            } else if (errno != EAGAIN) {
                return 1;
            } /* EAGAIN: nothing yet, round again: a core is burned */
        }
    }
    return 0;
}
