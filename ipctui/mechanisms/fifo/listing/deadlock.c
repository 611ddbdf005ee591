/* deadlock: two FIFOs, opened in opposite order: both sleep in open(). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void client(const char *to, const char *from)
{
    char data[4096];
    ssize_t n;
    int back = open(from, O_RDONLY);  /* the server's second */
    int there = open(to, O_WRONLY);

    for (int i = 1; i <= 200; i++) {
        n = snprintf(data, sizeof data, "client:%d\n", i);
        write(there, data, n);
        if ((n = read(back, data, sizeof data)) <= 0)
            break;
        fwrite(data, 1, n, stdout);
    }
    close(there);
    close(back);
}

static void server(const char *from, const char *to)
{
    char data[4096];
    ssize_t n;
    int there, back;

    mkfifo(from, 0600);
    mkfifo(to, 0600);
    there = open(from, O_RDONLY);
    back = open(to, O_WRONLY);
    while ((n = read(there, data, sizeof data)) > 0)
        write(back, data, n);
}

int main(int argc, char *argv[])        /* client or server; two paths */
{
    if (argc == 4)
        (*argv[1] == 'c' ? client : server)(argv[2], argv[3]);
    return 0;
}
