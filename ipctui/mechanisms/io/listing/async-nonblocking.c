/* async-nonblocking: each read is completed by itself (here POSIX AIO;
   io_uring does it without threads). */
#include <aio.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
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

static void other_work(void)
{
    volatile unsigned long sum = 0;
    for (unsigned long i = 0; i < 200000; i++)
        sum += i;
}

int main(void)
{
    static char buffers[PRODUCERS][4096];
    struct aiocb reads[PRODUCERS];
    int open_ends = PRODUCERS;

    memset(reads, 0, sizeof reads);
    for (int p = 0; p < PRODUCERS; p++) {
        reads[p].aio_fildes = start_producer(p + 1);
        reads[p].aio_buf = buffers[p];
        reads[p].aio_nbytes = sizeof buffers[p];
        reads[p].aio_sigevent.sigev_notify = SIGEV_NONE;
        aio_read(&reads[p]);
    }
    while (open_ends > 0) {
        other_work(); /* nothing is waited for */
        for (int p = 0; p < PRODUCERS; p++) {
            if (reads[p].aio_fildes < 0
                || aio_error(&reads[p]) == EINPROGRESS)
                continue;
            ssize_t got = aio_return(&reads[p]); /* it is in the buffer */
            if (got > 0) {
                fwrite(buffers[p], 1, (size_t)got, stdout);
                aio_read(&reads[p]);
            } else {
                reads[p].aio_fildes = -1;
                open_ends--;
            }
        }
    }
    return 0;
}
