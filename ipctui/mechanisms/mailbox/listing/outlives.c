/* outlives: "./a.out" fills the mailbox; "./a.out take" comes later. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>

#define MAILBOX "/orders"
#define LARGEST 1024

int main(int argc, char *argv[])
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };
    char data[LARGEST];
    ssize_t n;
    mqd_t q;

    (void)argv;
    if (argc == 1) {
        q = mq_open(MAILBOX, O_CREAT | O_WRONLY, 0600, &attr);
        for (int i = 1; q != (mqd_t)-1 && i <= 5; i++) {
            int size = snprintf(data, sizeof data, "creator:%d tick\n", i);

            if (mq_send(q, data, size, 0) == -1)
                break;
        }
        return 0;                       /* the mailbox and all in it stay */
    }
    q = mq_open(MAILBOX, O_RDONLY | O_NONBLOCK);
    if (q == (mqd_t)-1)
        return 1;
    while ((n = mq_receive(q, data, sizeof data, NULL)) >= 0)
        fwrite(data, 1, n, stdout);
    mq_close(q);
    mq_unlink(MAILBOX);                 /* else it stays until reboot */
    return 0;
}
