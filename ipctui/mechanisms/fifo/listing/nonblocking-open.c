/* nonblocking-open: ENXIO for the writer, empty reads for the reader. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void writer(const char *path)
{
    int w;

    mkfifo(path, 0600);
    while ((w = open(path, O_WRONLY | O_NONBLOCK)) == -1 && errno == ENXIO)
        sleep(1);                       /* nobody reads: try again */
    write(w, "tick\n", 5);
    close(w);
}

static void reader(const char *path)
{
    char data[4096];
    int r = open(path, O_RDONLY | O_NONBLOCK);      /* never sleeps */

    for (;; sleep(1))       /* 0: no writer; -1, EAGAIN: a silent one */
        printf("read: %zd\n", read(r, data, sizeof data));
}

static void both(const char *path)
{
    char data[4096];
    int f = open(path, O_RDWR);         /* undefined in POSIX */

    write(f, "mine\n", 5);
    while (read(f, data, sizeof data) > 0)          /* never 0 */
        fputs("one\n", stdout);
}

int main(int argc, char *argv[])
{
    if (argc == 3)
        (*argv[1] == 'w' ? writer :
         *argv[1] == 'r' ? reader : both)(argv[2]);
    return 0;
}
