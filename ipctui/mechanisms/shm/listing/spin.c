/* spin: a bounded buffer in shared memory; waiting is a loop. */
#include <fcntl.h>
#include <stdatomic.h>
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
    _Alignas(64) atomic_long in;        /* next free slot */
    _Alignas(64) atomic_long out;       /* first full slot */
    _Alignas(64) struct item buffer[BUFFER_SIZE];
};

static void producer(struct shared *s)
{
    for (int i = 1; i <= 200; i++) {
        long at = s->in;

        while ((at + 1) % BUFFER_SIZE == s->out)
            ;                           /* full: do nothing */
        s->buffer[at].size = snprintf(s->buffer[at].text, ROOM,
                                      "producer:%d tick\n", i);
        s->in = (at + 1) % BUFFER_SIZE;
    }
}

static void consumer(struct shared *s)
{
    for (;;) {
        long at = s->out;

        while (s->in == at)
            ;                           /* empty: do nothing */
        fwrite(s->buffer[at].text, 1, s->buffer[at].size, stdout);
        fflush(stdout);
        s->out = (at + 1) % BUFFER_SIZE;
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
    if (s == MAP_FAILED)
        return 1;
    if (argc > 1 && strcmp(argv[1], "consumer") == 0)
        consumer(s);
    else
        producer(s);
    return 0;                           /* shm_unlink("/ring") ends it */
}
