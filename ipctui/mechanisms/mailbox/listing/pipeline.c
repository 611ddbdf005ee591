/* pipeline: producer, prosumer and consumer with two mailboxes between. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <unistd.h>

#define LARGEST 1024

static mqd_t mailbox(const char *name, int flags)
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };

    return mq_open(name, O_CREAT | flags, 0600, &attr);
}

static int prosumer(void)
{
    mqd_t in = mailbox("/raw", O_RDONLY), out = mailbox("/done", O_WRONLY);
    char data[LARGEST];
    ssize_t n;

    while ((n = mq_receive(in, data, sizeof data, NULL)) >= 0)   /* takes */
        if (mq_send(out, data, n, 0) == -1)                     /* gives */
            break;
    return 0;
}

static int consumer(void)
{
    mqd_t in = mailbox("/done", O_RDONLY);
    char data[LARGEST];
    ssize_t n;

    while ((n = mq_receive(in, data, sizeof data, NULL)) >= 0)
        fwrite(data, 1, n, stdout);
    return 0;
}

int main(void)
{
    char data[LARGEST];
    mqd_t out;

    if (fork() == 0)
        return prosumer();
    if (fork() == 0)
        return consumer();
    out = mailbox("/raw", O_WRONLY);
    for (int i = 1; i <= 200; i++) {
        int size = snprintf(data, sizeof data, "producer:%d tick\n", i);

        if (mq_send(out, data, size, 0) == -1)
            break;
    }
    return 0;
}
