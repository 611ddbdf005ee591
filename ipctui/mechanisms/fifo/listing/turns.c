/* turns: one FIFO both ways, half duplex; open() keeps the turns. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void speak(const char *path, const char *text)
{
    int w = open(path, O_WRONLY);       /* sleeps until somebody listens */

    write(w, text, strlen(text));
    close(w);                           /* "over" */
}

static int listen_to(const char *path)
{
    char data[4096];
    int r = open(path, O_RDONLY);       /* sleeps until somebody speaks */
    ssize_t n = read(r, data, sizeof data);

    close(r);
    return n > 0;
}

int main(int argc, char *argv[])        /* caller or callee, and a path */
{
    if (argc != 3)
        return 2;
    int speaks = strcmp(argv[1], "caller") == 0;

    if (speaks)
        mkfifo(argv[2], 0600);
    for (;; speaks = !speaks)
        if (speaks)
            speak(argv[2], "tick\n");
        else
            listen_to(argv[2]);
}
