/* unbounded: a queue in shared memory that grows by the page, and gives
   pages back; "./a.out receive" and "./a.out send"; -n: non-blocking. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096
#define ROOM 256                /* bytes of a message */
#define PAGES 16384             /* the true limit: 64 MiB */
#define PER_PAGE (PAGE / ROOM)

struct counts { long in, out; };

static char *place(char *memory, long at)
{
    return memory + PAGE + at / PER_PAGE % PAGES * PAGE
           + at % PER_PAGE * ROOM;
}

int main(int argc, char *argv[])
{
    int sends = argc > 1 && strcmp(argv[1], "send") == 0;
    int nonblocking = argc > 2 && strcmp(argv[2], "-n") == 0;
    int fd = shm_open("/cell", O_CREAT | O_RDWR, 0600);
    sem_t *items = sem_open("/cell", O_CREAT, 0600, 0);
    char *memory;
    volatile struct counts *queue;

    if (fd == -1 || items == SEM_FAILED || fallocate(fd, 0, 0, PAGE) == -1)
        return 1;
    memory = mmap(NULL, (PAGES + 1L) * PAGE, PROT_READ | PROT_WRITE,
                  MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return 1;
    queue = (volatile struct counts *)memory;
    for (int i = 1; sends && i <= 200; i++) {
        long page = queue->in / PER_PAGE % PAGES;

        if (queue->in - queue->out >= (PAGES - 1L) * PER_PAGE
            || fallocate(fd, 0, (page + 1) * PAGE, PAGE) == -1)
            break;              /* ENOSPC: no queue is without bounds */
        snprintf(place(memory, queue->in), ROOM, "sender:%d tick\n", i);
        queue->in++;
        sem_post(items);        /* never sleeps, blocking or not */
        usleep(100000);
    }
    while (!sends) {
        if ((nonblocking ? sem_trywait(items) : sem_wait(items)) == 0) {
            fputs(place(memory, queue->out), stdout);
            if (queue->out && queue->out % PER_PAGE == 0)
                fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                          ((queue->out / PER_PAGE - 1) % PAGES + 1) * PAGE,
                          PAGE);
            queue->out++;
        }
        usleep(200000);
    }
    return 0;
}
