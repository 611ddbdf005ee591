/* struct: what fills up, and how long a long is, differ by machine */
#include <stddef.h>
#include <stdio.h>

struct value { char c; short s; int i; long l; double d; };

#define SHOW(member) \
    printf("%-7s at %2zu, %zu bytes\n", #member, \
           offsetof(struct value, member), \
           sizeof(((struct value *)0)->member))

int main(void)
{
    SHOW(c);
    SHOW(s);
    SHOW(i);
    SHOW(l);                        /* 8 bytes here, 4 on a 32-bit one */
    SHOW(d);
    printf("struct: %zu bytes\n", sizeof(struct value));
    /*
     * write(fd, &v, sizeof v) sends the padding, too, and nobody else
     * may read it. XDR sends c, s and i as four bytes each, l as a
     * hyper of eight, d as eight: 28 bytes, everywhere.
     */
    return 0;
}
