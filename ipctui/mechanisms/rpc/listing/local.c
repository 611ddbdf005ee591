/* local: the same procedure as a function, and in another process */
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t deposit(int64_t account, int64_t amount)
{
    return account + amount;        /* nothing is marshalled */
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(void)
{
    int ends[2];
    int64_t amount = 1, account = 0;

    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
    if (fork() == 0) {              /* the callee */
        close(ends[0]);
        while (recv(ends[1], &amount, sizeof amount, 0) > 0) {
            account = deposit(account, amount);
            send(ends[1], &account, sizeof account, 0);
        }
        return 0;
    }
    close(ends[1]);
    double began = now();
    account = deposit(account, amount);
    double plain = now();
    send(ends[0], &amount, sizeof amount, 0);
    recv(ends[0], &account, sizeof account, 0);
    printf("%.1f and %.1f microseconds\n", plain - began, now() - plain);
    close(ends[0]);
    return 0;
}
