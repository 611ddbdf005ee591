/* deadlock: both write more than a pipe holds before either reads. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CAPACITY 4096
#define MESSAGE (2 * CAPACITY)          /* at most CAPACITY: no deadlock */

static int talk(int out, int in, char letter)
{
    char data[MESSAGE];

    for (;;) {
        memset(data, letter, sizeof data);
        if (write(out, data, sizeof data) == -1)    /* both sleep here */
            return 1;
        for (size_t got = 0; got < sizeof data; ) {
            ssize_t n = read(in, data, sizeof data);

            if (n <= 0)
                return 1;
            got += n;
        }
    }
}

int main(void)
{
    int there[2], back[2];              /* [0] is read, [1] is written */

    if (pipe(there) == -1 || pipe(back) == -1)
        return 1;
    fcntl(there[1], F_SETPIPE_SZ, CAPACITY);
    fcntl(back[1], F_SETPIPE_SZ, CAPACITY);

    if (fork() == 0) {
        close(there[1]);
        close(back[0]);
        return talk(back[1], there[0], 'b');
    }
    close(there[0]);
    close(back[1]);
    return talk(there[1], back[0], 'a');
}
