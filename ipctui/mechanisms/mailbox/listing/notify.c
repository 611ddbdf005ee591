/* notify: work on something else until a message comes. */
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define MAILBOX "/orders"
#define LARGEST 1024

static volatile sig_atomic_t arrived;

static void note(int number)
{
    (void)number;
    arrived = 1;
}

int main(void)
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };
    struct sigevent event = { .sigev_signo = SIGUSR1 };     /* a signal */
    struct timespec work = { .tv_nsec = 50000000 };
    char data[LARGEST];
    mqd_t q;

    signal(SIGUSR1, note);
    q = mq_open(MAILBOX, O_CREAT | O_RDONLY | O_NONBLOCK, 0600, &attr);
    if (q == (mqd_t)-1)
        return 1;
    for (;;) {
        ssize_t n;

        mq_notify(q, &event);           /* good for one signal: first */
        while ((n = mq_receive(q, data, sizeof data, NULL)) >= 0)
            fwrite(data, 1, n, stdout); /* this, then empty the box */
        while (!arrived)
            nanosleep(&work, NULL);     /* its own work */
        arrived = 0;
    }
}
