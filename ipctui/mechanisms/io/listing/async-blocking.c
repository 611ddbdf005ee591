/* async-blocking: epoll_wait() sleeps until any of them is ready. */
#include <stdio.h>
#include <sys/epoll.h>
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
    struct epoll_event events[PRODUCERS];
    int open_ends = PRODUCERS, epfd = epoll_create1(0);
    char buffer[4096];

    for (int p = 0; p < PRODUCERS; p++) {
        struct epoll_event wanted = {.events = EPOLLIN};
        wanted.data.fd = start_producer(p + 1);
        epoll_ctl(epfd, EPOLL_CTL_ADD, wanted.data.fd, &wanted);
    }
    while (open_ends > 0) {
        int ready = epoll_wait(epfd, events, PRODUCERS, -1); /* sleeps */
        for (int e = 0; e < ready; e++) {
            ssize_t got = read(events[e].data.fd, buffer, sizeof buffer);
            if (got > 0) {
                fwrite(buffer, 1, (size_t)got, stdout);
                /* other work: one unit */
            } else {
                epoll_ctl(epfd, EPOLL_CTL_DEL, events[e].data.fd, NULL);
                close(events[e].data.fd);
                open_ends--;
            }
        }
    }
    return 0;
}
