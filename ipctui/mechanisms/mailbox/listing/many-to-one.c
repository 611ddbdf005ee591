/* many-to-one: several senders, one mailbox, one receiver. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <unistd.h>

#define MAILBOX "/orders"
#define SENDERS 3
#define LARGEST 1024

static struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };

static int sender(int number)
{
    char data[LARGEST];
    mqd_t q = mq_open(MAILBOX, O_CREAT | O_WRONLY, 0600, &attr);

    for (int i = 1; q != (mqd_t)-1 && i <= 200; i++) {
        int size = snprintf(data, sizeof data, "sender%d:%d\n", number, i);

        if (mq_send(q, data, size, 0) == -1)
            break;
    }
    return 0;
}

int main(void)
{
    char data[LARGEST];
    ssize_t n;
    mqd_t q;

    for (int i = 1; i <= SENDERS; i++)
        if (fork() == 0)                /* any process will do */
            return sender(i);
    q = mq_open(MAILBOX, O_CREAT | O_RDONLY, 0600, &attr);
    if (q == (mqd_t)-1)
        return 1;
    while ((n = mq_receive(q, data, sizeof data, NULL)) >= 0)
        fwrite(data, 1, n, stdout);     /* who sent it is in the message */
    return 0;
}
