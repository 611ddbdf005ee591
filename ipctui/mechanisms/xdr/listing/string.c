/* string: bytes have no order, but somebody must say how many they are */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* XDR: the length, the bytes, zeros up to a multiple of four */
static size_t xdr_string(unsigned char *to, const char *text)
{
    uint32_t length = strlen(text);
    uint32_t wire = htonl(length);
    size_t whole = (length + 3) / 4 * 4;

    memcpy(to, &wire, 4);
    memset(to + 4, 0, whole);
    memcpy(to + 4, text, length);
    return 4 + whole;
}

int main(void)
{
    unsigned char wire[64];
    size_t size = xdr_string(wire, "Hello");

    for (size_t at = 0; at < size; at++)
        printf("%02x ", wire[at]);
    printf("\n");                   /* in memory: Hello and a NUL */
    return 0;
}
