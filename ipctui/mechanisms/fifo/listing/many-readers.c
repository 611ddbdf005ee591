/* many-readers: each message goes to one of the readers, copied to none. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void writer(const char *path)
{
    char data[4096];
    int w;

    if (mkfifo(path, 0600) == -1 && errno != EEXIST)
        return;
    w = open(path, O_WRONLY);           /* sleeps until a reader opens */
    fcntl(w, F_SETPIPE_SZ, 4096);
    for (int i = 1; i <= 200; i++) {
        int size = snprintf(data, sizeof data, "writer:%d tick\n", i);

        if (write(w, data, size) != size)
            break;
    }
    close(w);
}

static void reader(const char *path)
{
    char data[4096];
    ssize_t n;
    int r = open(path, O_RDONLY);       /* sleeps until a writer opens */

    while ((n = read(r, data, sizeof data)) > 0)
        fwrite(data, 1, n, stdout);
    close(r);
}

int main(int argc, char *argv[])        /* one writer, several readers */
{
    if (argc != 3)
        return 2;
    (strcmp(argv[1], "writer") == 0 ? writer : reader)(argv[2]);
    return 0;
}
