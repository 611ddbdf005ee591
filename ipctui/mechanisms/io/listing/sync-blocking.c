/* sync-blocking: read() sleeps until this one producer has sent. */
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
            /* sleeps here, whoever else has sent meanwhile */
            ssize_t got = read(ends[p], buffer, sizeof buffer);
            if (got > 0) {
                fwrite(buffer, 1, (size_t)got, stdout);
                /* other work: one unit */
            } else {
                close(ends[p]);
                ends[p] = -1;
                open_ends--;
            }
        }
    }
    return 0;
}
