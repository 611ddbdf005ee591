/* one-to-many: "./a.out send" is p1; p2 and p3 are "./a.out POLICY", with
   system, one-at-a-time or two-processes for POLICY. */
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define MAILBOX "/orders"
#define LARGEST 1024

int main(int argc, char *argv[])
{
    struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };
    const char *policy = argc > 1 ? argv[1] : "system";
    int in_turn = strcmp(policy, "one-at-a-time") == 0;
    sem_t *turn = sem_open("/turn", O_CREAT, 0600, 1);
    sem_t *places = sem_open("/places", O_CREAT, 0600, 1);
    char data[LARGEST];
    mqd_t q;

    if (turn == SEM_FAILED || places == SEM_FAILED)
        return 1;
    if (strcmp(policy, "two-processes") == 0)
        sem_wait(places);               /* p1 and one more, no third */
    q = mq_open(MAILBOX, O_CREAT | O_RDWR, 0600, &attr);
    if (q == (mqd_t)-1)
        return 1;
    if (strcmp(policy, "send") == 0) {
        for (int i = 1; i <= 200; i++) {
            int size = snprintf(data, sizeof data, "p1:%d tick\n", i);

            mq_send(q, data, size, 0);
        }
        return 0;
    }
    for (;;) {
        if (in_turn)
            sem_wait(turn);             /* only one is in mq_receive */
        ssize_t n = mq_receive(q, data, sizeof data, NULL);
        if (in_turn)
            sem_post(turn);
        if (n < 0)
            return 1;
        fwrite(data, 1, n, stdout);     /* system: the kernel has chosen */
    }
}
