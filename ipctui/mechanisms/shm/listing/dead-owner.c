/* dead-owner: kill the owner, and see which waiter goes on. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct shared {
    _Alignas(64) volatile long ready;
    _Alignas(64) volatile long work;
    _Alignas(64) pthread_mutex_t mutex;
};
static struct shared *s;

static void take(void)
{
    if (pthread_mutex_lock(&s->mutex) == EOWNERDEAD) {
        s->work = 0;                    /* mend what it left behind */
        pthread_mutex_consistent(&s->mutex);
    }
}

static void prepare(void)
{
    pthread_mutexattr_t robust;

    pthread_mutexattr_init(&robust);
    pthread_mutexattr_setpshared(&robust, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&s->mutex, &robust);
    s->ready = 1;
}

int main(int argc, char *argv[])
{
    const char *role = argc > 1 ? argv[1] : "owner";
    int fd = shm_open("/work", O_CREAT | O_RDWR, 0600);
    sem_t *lock = sem_open("/work.lock", O_CREAT, 0600, 1);

    if (fd == -1 || ftruncate(fd, sizeof *s) == -1)
        return 1;
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE,
             MAP_SHARED, fd, 0);
    if (s == MAP_FAILED || lock == SEM_FAILED)
        return 1;
    if (strcmp(role, "owner") == 0 && !s->ready)
        prepare();
    for (;;) {
        int owner = strcmp(role, "owner") == 0;

        if (owner || strcmp(role, "sem-waiter") == 0)
            sem_wait(lock);             /* for ever, if its taker is dead */
        if (owner || strcmp(role, "mutex-waiter") == 0)
            take();
        for (int step = 1; owner && step <= 8; step++) {
            s->work = step;
            sleep(1);                   /* killed here: both in hand */
        }
        if (owner || strcmp(role, "mutex-waiter") == 0)
            pthread_mutex_unlock(&s->mutex);
        if (owner || strcmp(role, "sem-waiter") == 0)
            sem_post(lock);
        sleep(1);
    }
}
