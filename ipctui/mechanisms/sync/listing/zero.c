/* zero: "./a.out receive" and "./a.out send"; -n: non-blocking.
   "ipcs -s -i ID" shows both semaphores and who sleeps there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#define KEY 0x7a65726f
enum { OFFERED, BUSY };     /* both 0 at first */

static int sems, nonblocking;
static char *slot;

static int change(struct sembuf *ops, int n)
{
    return semop(sems, ops, n);     /* all of them, or none yet */
}

/* 0: the receiver has it; -1: refused (EAGAIN), or withdrawn. */
static int hand_over(const char *message)
{
    int undo = nonblocking ? 0 : SEM_UNDO;
    int asleep = semctl(sems, OFFERED, GETNCNT);
    struct sembuf ready[] = { { BUSY, 0, 0 } };
    struct sembuf offer[] = { { OFFERED, +1, undo } };
    struct sembuf taken[] = { { OFFERED, 0, 0 }, { BUSY, 0, 0 } };
    struct sembuf at_once[] = { { OFFERED, 0, IPC_NOWAIT } };
    struct sembuf back[] = { { OFFERED, -1, undo | IPC_NOWAIT } };

    if (asleep == 0 && nonblocking) {
        errno = EAGAIN;             /* nobody waits: refused */
        return -1;
    }
    if (asleep == 0 && change(ready, 1) == -1)
        return -1;                  /* EINTR */
    strcpy(slot, message);
    change(offer, 1);   /* a sleeping receiver has taken it now */
    if (nonblocking ? change(at_once, 1) == 0 : change(taken, 2) == 0)
        return 0;       /* blocking: slept until it was put away */
    return change(back, 1) == -1 ? 0 : -1;      /* withdrawn */
}

static int take(char *message)
{
    int flags = SEM_UNDO | (nonblocking ? IPC_NOWAIT : 0);
    struct sembuf ops[] = { { OFFERED, -1, flags },
                            { BUSY, +1, SEM_UNDO } };
    unsigned short zero[] = { 0, 0 };

    if (change(ops, 2) == -1)
        return -1;      /* EAGAIN: nothing is offered now */
    strcpy(message, slot);
    return semctl(sems, 0, SETALL, zero);   /* the sender wakes */
}

int main(int argc, char *argv[])
{
    char message[256];
    int sends = argc > 1 && strcmp(argv[1], "send") == 0;
    int segment = shmget(KEY, sizeof message, IPC_CREAT | 0600);

    nonblocking = argc > 2 && strcmp(argv[2], "-n") == 0;
    sems = semget(KEY, 2, IPC_CREAT | 0600);
    slot = shmat(segment, NULL, 0);
    if (sems == -1 || slot == (char *)-1)
        return 1;
    for (int i = 1; sends && i <= 200; i++) {
        snprintf(message, sizeof message, "sender:%d tick\n", i);
        if (hand_over(message) == -1)
            fprintf(stderr, "refused: %s", message);
        usleep(500000);
    }
    while (!sends) {
        if (take(message) == 0)
            fputs(message, stdout);
        usleep(200000);
    }
    return 0;
}
