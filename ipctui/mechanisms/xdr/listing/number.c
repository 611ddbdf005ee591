/* number: as it lies in memory, and in the order of the network */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void print(const char *name, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    printf("%-10s", name);
    for (size_t at = 0; at < size; at++)
        printf(" %02x", bytes[at]);
    printf("\n");
}

int main(void)
{
    int32_t value = 1;
    uint32_t wire = htonl(value);   /* XDR: the highest byte first */
    uint32_t read, wrong;

    print("memory", &value, sizeof value);
    print("XDR", &wire, sizeof wire);
    memcpy(&read, &wire, sizeof read);
    printf("read with ntohl    %u\n", ntohl(read));
    wrong = __builtin_bswap32(value);       /* the other byte order */
    printf("read without       %u\n", wrong);
    return 0;
}
