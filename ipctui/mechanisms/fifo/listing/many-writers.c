/* many-writers: writes above PIPE_BUF (4,096 bytes) may be torn apart. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void reader(const char *path)
{
    char data[1000];
    ssize_t n;
    int r;

    if (mkfifo(path, 0600) == -1 && errno != EEXIST)
        return;
    r = open(path, O_RDONLY);           /* sleeps until a writer opens */
    while ((n = read(r, data, sizeof data)) > 0)
        fwrite(data, 1, n, stdout);
    close(r);                           /* 0: the last writer has closed */
}

static void writer(const char *path)
{
    static char data[6000];
    int w = open(path, O_WRONLY);

    fcntl(w, F_SETPIPE_SZ, 4096);
    for (int i = 1; i <= 200; i++) {
        memset(data, 'a' + getpid() % 26, sizeof data);
        data[sizeof data - 1] = '\n';
        if (write(w, data, sizeof data) == -1)
            break;
    }
    close(w);
}

int main(int argc, char *argv[])        /* one reader, several writers */
{
    if (argc != 3)
        return 2;
    (strcmp(argv[1], "writer") == 0 ? writer : reader)(argv[2]);
    return 0;
}
