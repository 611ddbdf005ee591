/* all: five ways to wait, a function each; a collector goes one of them. */
#define _GNU_SOURCE
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static char buffer[4096];

static ssize_t sync_blocking(int r)
{
    return read(r, buffer, sizeof buffer); /* sleeps until there are data */
}

static ssize_t sync_nonblocking(int r)
{
    ssize_t got;
    fcntl(r, F_SETFL, O_NONBLOCK);
    do
        got = read(r, buffer, sizeof buffer); /* EAGAIN: ask again */
    while (got < 0 && errno == EAGAIN);
    return got;
}

static ssize_t async_blocking(int r)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = r};
    int epfd = epoll_create1(0);
    epoll_ctl(epfd, EPOLL_CTL_ADD, r, &event);
    epoll_wait(epfd, &event, 1, -1); /* sleeps on the notice */
    close(epfd);
    return read(event.data.fd, buffer, sizeof buffer);
}

static unsigned long units;

static ssize_t async_nonblocking(int r)
{
    struct aiocb wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.aio_fildes = r;
    wanted.aio_buf = buffer;
    wanted.aio_nbytes = sizeof buffer;
    wanted.aio_sigevent.sigev_notify = SIGEV_NONE;
    aio_read(&wanted);
    while (aio_error(&wanted) == EINPROGRESS)
        units++; /* other work */
    return aio_return(&wanted); /* the data are here already */
}

static volatile sig_atomic_t noticed;

static void note(int number)
{
    (void)number;
    noticed = 1;
}

static ssize_t signal_driven(int r)
{
    signal(SIGIO, note);
    fcntl(r, F_SETOWN, getpid());
    fcntl(r, F_SETFL, O_NONBLOCK | O_ASYNC);
    while (!noticed)
        units++; /* other work */
    return read(r, buffer, sizeof buffer); /* announced, not completed */
}

int main(void)
{
    ssize_t (*ways[])(int) = {sync_blocking, sync_nonblocking,
                              async_blocking, async_nonblocking,
                              signal_driven};

    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        int end[2];
        if (pipe(end) != 0)
            return 1;
        if (fork() == 0) { /* a slow producer */
            usleep(200000);
            dprintf(end[1], "way %zu\n", way + 1);
            _exit(0);
        }
        ssize_t got = ways[way](end[0]);
        if (got > 0)
            fwrite(buffer, 1, (size_t)got, stdout);
    }
    return 0;
}
