/* signal-driven: SIGIO says that something can be read; read() has yet
   to be called. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PRODUCERS 2

static volatile sig_atomic_t noticed = 1;

static void note(int number)
{
    (void)number;
    noticed = 1;
}

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

static void other_work(void)
{
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < 200000; i++)
        sum += i;
}

int main(void)
{
    int ends[PRODUCERS], open_ends = PRODUCERS;
    char buffer[4096];

    for (int p = 0; p < PRODUCERS; p++)
        ends[p] = start_producer(p + 1);
    signal(SIGIO, note);
    for (int p = 0; p < PRODUCERS; p++) {
        fcntl(ends[p], F_SETOWN, getpid());
        fcntl(ends[p], F_SETFL, O_NONBLOCK | O_ASYNC);
    }
    while (open_ends > 0) {
        while (!noticed)
            other_work();
        noticed = 0; /* before reading, so that none is lost */
        for (int p = 0; p < PRODUCERS; p++) {
            ssize_t got = 0;
            while (ends[p] >= 0
                   && (got = read(ends[p], buffer, sizeof buffer)) > 0)
                fwrite(buffer, 1, (size_t)got, stdout);
            if (ends[p] >= 0 && got == 0) {
                close(ends[p]);
                ends[p] = -1;
                open_ends--;
            }
        }
    }
    return 0;
}
