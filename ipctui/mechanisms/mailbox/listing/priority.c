/* priority: "./a.out 0", "./a.out 9" send; "./a.out" receives. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAILBOX "/orders"
#define LARGEST 1024

int main(int argc, char *argv[])
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };
    mqd_t q = mq_open(MAILBOX, O_CREAT | O_RDWR, 0600, &attr);
    char data[LARGEST];
    unsigned priority;
    ssize_t n;

    if (q == (mqd_t)-1)
        return 1;
    if (argc > 1) {
        priority = atoi(argv[1]);       /* the highest leaves first */
        for (int i = 1; i <= 200; i++) {
            int size = snprintf(data, sizeof data, "%u:%d\n", priority, i);

            if (mq_send(q, data, size, priority) == -1)
                return 1;
        }
        return 0;
    }
    while ((n = mq_receive(q, data, sizeof data, &priority)) >= 0) {
        printf("[%u] %.*s", priority, (int)n, data);
        sleep(1);                       /* slow, so that a queue forms */
    }
    return 0;
}
