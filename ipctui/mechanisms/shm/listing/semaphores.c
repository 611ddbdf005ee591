/* semaphores: the same buffer; who must wait sleeps in the kernel. */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFER_SIZE 8
#define ROOM 56

struct item {
    long size;
    char text[ROOM];
};
struct shared {
    _Alignas(64) long in;               /* next free slot */
    _Alignas(64) long out;              /* first full slot */
    _Alignas(64) struct item buffer[BUFFER_SIZE];
};
static sem_t *empty, *full, *mutex;

static void producer(struct shared *s)
{
    for (int i = 1; i <= 200; i++) {
        long at = s->in;                /* nobody else stores it */

        sem_wait(empty);
        sem_wait(mutex);
        s->buffer[at].size = snprintf(s->buffer[at].text, ROOM,
                                      "producer:%d tick\n", i);
        s->in = (at + 1) % BUFFER_SIZE;
        sem_post(mutex);
        sem_post(full);
    }
}

static void consumer(struct shared *s)
{
    for (;;) {
        long at = s->out;               /* nobody else stores it */

        sem_wait(full);
        sem_wait(mutex);
        fwrite(s->buffer[at].text, 1, s->buffer[at].size, stdout);
        fflush(stdout);
        s->out = (at + 1) % BUFFER_SIZE;
        sem_post(mutex);
        sem_post(empty);
    }
}

int main(int argc, char *argv[])
{
    int fd = shm_open("/ring", O_CREAT | O_RDWR, 0600);
    struct shared *s;

    if (fd == -1 || ftruncate(fd, sizeof *s) == -1)
        return 1;
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
             MAP_SHARED, fd, 0);
    empty = sem_open("/ring.empty", O_CREAT, 0600, BUFFER_SIZE - 1);
    full = sem_open("/ring.full", O_CREAT, 0600, 0);
    mutex = sem_open("/ring.mutex", O_CREAT, 0600, 1);
    if (s == MAP_FAILED || empty == SEM_FAILED ||
        full == SEM_FAILED || mutex == SEM_FAILED)
        return 1;
    if (argc > 1 && strcmp(argv[1], "consumer") == 0)
        consumer(s);
    else
        producer(s);
    return 0;
}
