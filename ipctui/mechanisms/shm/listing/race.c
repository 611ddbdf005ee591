/* race: start it twice; with the word on, the mutex is taken. */
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    int locked = argc > 1 && strcmp(argv[1], "on") == 0;
    int fd = shm_open("/counter", O_CREAT | O_RDWR, 0600);
    sem_t *mutex = sem_open("/counter.mutex", O_CREAT, 0600, 1);
    volatile long *counter;

    if (fd == -1 || ftruncate(fd, sizeof *counter) == -1)
        return 1;
    counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE,
                   MAP_SHARED, fd, 0);
    if (counter == MAP_FAILED || mutex == SEM_FAILED)
        return 1;
    for (int i = 0; i < 100000; i++) {
        if (locked)
            sem_wait(mutex);
        long value = *counter;          /* load */
        *counter = value + 1;           /* what came between is undone */
        if (locked)
            sem_post(mutex);
    }
    printf("%ld\n", *counter);
    return 0;
}
