/* private: MAP_PRIVATE beside MAP_SHARED. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct words {
    _Alignas(64) volatile long shared;
    _Alignas(64) volatile long private;
};

int main(int argc, char *argv[])
{
    const char *role = argc > 1 ? argv[1] : "reader";
    int hermit = strcmp(role, "hermit") == 0;
    int fd = shm_open("/words", O_CREAT | O_RDWR, 0600);
    struct words *view;

    if (fd == -1 || ftruncate(fd, sizeof *view) == -1)
        return 1;
    view = mmap(NULL, sizeof *view, PROT_READ | PROT_WRITE,
                hermit ? MAP_PRIVATE : MAP_SHARED, fd, 0);
    if (view == MAP_FAILED)
        return 1;
    for (long value = 1;; value++) {
        if (hermit)
            view->private = value;      /* a copy of the page, mine alone */
        else if (strcmp(role, "writer") == 0)
            view->shared = value;       /* a store into the segment */
        printf("%s at %p: shared %ld private %ld\n", role,
               (void *)view, view->shared, view->private);
        fflush(stdout);
        usleep(500000);
    }
}
