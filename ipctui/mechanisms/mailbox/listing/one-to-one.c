/* one-to-one: run "./a.out receive" and "./a.out send", in any order. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>

#define MAILBOX "/orders"
#define LARGEST 1024

int main(int argc, char *argv[])
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };
    char data[LARGEST];
    unsigned priority;
    ssize_t n;
    mqd_t q;

    if (argc > 1 && strcmp(argv[1], "send") == 0) {
        q = mq_open(MAILBOX, O_CREAT | O_WRONLY, 0600, &attr);
        if (q == (mqd_t)-1)
            return 1;
        for (int i = 1; i <= 200; i++) {
            int size = snprintf(data, sizeof data, "sender:%d tick\n", i);

            if (mq_send(q, data, size, 0) == -1)    /* sleeps when full */
                break;
        }
        mq_close(q);
        return 0;
    }
    q = mq_open(MAILBOX, O_CREAT | O_RDONLY, 0600, &attr);
    if (q == (mqd_t)-1)
        return 1;
    while ((n = mq_receive(q, data, sizeof data, &priority)) >= 0)
        fwrite(data, 1, n, stdout);     /* sleeps when empty */
    return 0;
}
