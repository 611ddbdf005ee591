/* bounded: "./a.out receive" and "./a.out send"; -n: non-blocking. */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAILBOX "/cell"
#define LARGEST 248

int main(int argc, char *argv[])
{
    struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = LARGEST };
    int sends = argc > 1 && strcmp(argv[1], "send") == 0;
    int mode = argc > 2 && strcmp(argv[2], "-n") == 0 ? O_NONBLOCK : 0;
    char data[LARGEST];
    ssize_t n;
    mqd_t q = mq_open(MAILBOX, O_CREAT | mode | (sends ? O_WRONLY : O_RDONLY),
                      0600, &attr);

    if (q == (mqd_t)-1)
        return 1;
    for (int i = 1; sends && i <= 200; i++) {
        int size = snprintf(data, sizeof data, "sender:%d tick\n", i);

        if (mq_send(q, data, size, 0) == -1)  /* full: sleeps */
            fprintf(stderr, "refused: %s\n", strerror(errno));
        usleep(500000);
    }
    while (!sends) {
        n = mq_receive(q, data, sizeof data, NULL);  /* empty: sleeps */
        if (n >= 0)
            fwrite(data, 1, n, stdout);
        else if (errno == EAGAIN)
            fputs("nothing\n", stderr);
        usleep(200000);
    }
    return 0;
}
