/* semantics: the client stub marshals in XDR, sends, waits, sends again */
#include <arpa/inet.h>
#include <endian.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

static int fd;
static uint32_t xid;

static int deposit(int64_t amount, int tries, int64_t *balance)
{
    uint32_t call[14] = { htonl(++xid),   /* the same in every copy */
        htonl(0), htonl(2),               /* CALL, RPC version 2 */
        htonl(0x20000099), htonl(1), htonl(1),  /* program, version, */
        0, 0, 0, 0,                       /* procedure; AUTH_NONE twice */
        0, 0, htonl(2), 0 };              /* amount; memo "hi" */
    uint32_t reply[8];
    int64_t wide = htobe64(amount);
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    memcpy(&call[10], &wide, 8);
    memcpy(&call[13], "hi", 2);           /* and two bytes of zero */
    while (tries-- > 0) {                 /* maybe: one try */
        send(fd, call, sizeof call, 0);
        while (poll(&ready, 1, 500) > 0)  /* else: the time-out */
            if (recv(fd, reply, sizeof reply, 0) == sizeof reply
                && reply[0] == call[0]) { /* not a late one */
                memcpy(&wide, &reply[6], 8);
                *balance = be64toh(wide);
                return 1;
            }
    }
    return 0;          /* failed? or done, and the reply lost? */
}

int main(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
        .sin_port = htons(30500), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int64_t balance;

    fd = socket(AF_INET, SOCK_DGRAM, 0);
    connect(fd, (struct sockaddr *)&to, sizeof to);
    return deposit(1, 4, &balance) ? 0 : 1;
}
