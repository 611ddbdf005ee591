/* One producer on three capacities: "./a.out zero", "./a.out bounded 5",
   "./a.out unbounded". The child consumes, more slowly. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <mqueue.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <unistd.h>

#define ROOM 64
#define MOST 1048576L           /* the true limit of "unbounded" */
enum { OFFERED, BUSY };

static struct shared {
    sem_t items;
    long in, out;
    char room[][ROOM];
} *shared;
static int sems;
static mqd_t q;

static void change(struct sembuf *ops, int n)
{
    while (semop(sems, ops, n) == -1)
        ;
}

/* zero: nothing is queued; the producer sleeps until its message is taken. */
static void put_zero(const char *message)
{
    struct sembuf offer = { OFFERED, +1, SEM_UNDO };
    struct sembuf taken[] = { { OFFERED, 0, 0 }, { BUSY, 0, 0 } };

    strcpy(shared->room[0], message);
    change(&offer, 1);
    change(taken, 2);
}

static void get_zero(char *message)
{
    struct sembuf take[] = { { OFFERED, -1, SEM_UNDO },
                             { BUSY, +1, SEM_UNDO } };
    unsigned short zero[] = { 0, 0 };

    change(take, 2);
    strcpy(message, shared->room[0]);
    semctl(sems, 0, SETALL, zero);
}

/* bounded: the kernel's queue of n; the producer sleeps while it is full. */
static void put_bounded(const char *message)
{
    mq_send(q, message, ROOM, 0);
}

static void get_bounded(char *message)
{
    mq_receive(q, message, ROOM, NULL);
}

/* unbounded: pages come as they are touched; the producer never sleeps. */
static void put_unbounded(const char *message)
{
    if (shared->in == MOST)
        exit(1);
    strcpy(shared->room[shared->in++], message);
    sem_post(&shared->items);
}

static void get_unbounded(char *message)
{
    sem_wait(&shared->items);
    strcpy(message, shared->room[shared->out++]);
}

int main(int argc, char *argv[])
{
    const char *kind = argc > 1 ? argv[1] : "zero";
    struct mq_attr attr = { .mq_maxmsg = argc > 2 ? atoi(argv[2]) : 5,
                            .mq_msgsize = ROOM };
    int bounded = strcmp(kind, "bounded") == 0;
    int zero = strcmp(kind, "zero") == 0;
    char message[ROOM];

    shared = mmap(NULL, sizeof *shared + MOST * ROOM, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    sem_init(&shared->items, 1, 0);
    sems = semget(IPC_PRIVATE, 2, 0600);
    q = mq_open("/buffering", O_CREAT | O_RDWR, 0600, &attr);
    if (fork() == 0)
        for (;;) {
            (zero ? get_zero : bounded ? get_bounded : get_unbounded)(message);
            fputs(message, stdout);
            fflush(stdout);
            usleep(333333);
        }
    for (int i = 1; i <= 200; i++) {
        snprintf(message, ROOM, "producer:%d tick\n", i);
        (zero ? put_zero : bounded ? put_bounded : put_unbounded)(message);
        usleep(200000);
    }
    return 0;
}
