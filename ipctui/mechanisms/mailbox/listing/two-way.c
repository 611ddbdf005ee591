/* two-way: "./a.out server" and "./a.out client"; the question names the
   mailbox that its answer goes to. */
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define QUESTIONS "/questions"
#define LARGEST 1024

static struct mq_attr attr = { .mq_maxmsg = 10, .mq_msgsize = LARGEST };

static int client(void)
{
    char data[LARGEST], reply_to[32];
    mqd_t answers, questions;

    snprintf(reply_to, sizeof reply_to, "/answers-%d", (int)getpid());
    answers = mq_open(reply_to, O_CREAT | O_RDONLY, 0600, &attr);
    questions = mq_open(QUESTIONS, O_CREAT | O_WRONLY, 0600, &attr);
    for (int i = 1; i <= 200; i++) {
        int size = snprintf(data, sizeof data, "question %d reply-to %s",
                            i, reply_to);

        if (mq_send(questions, data, size, 0) == -1)
            break;
        if (mq_receive(answers, data, sizeof data, NULL) < 0)
            break;
    }
    mq_unlink(reply_to);
    return 0;
}

static int server(void)
{
    char data[LARGEST + 1];
    mqd_t questions = mq_open(QUESTIONS, O_CREAT | O_RDONLY, 0600, &attr);
    ssize_t n;

    while ((n = mq_receive(questions, data, LARGEST, NULL)) >= 0) {
        char *reply_to;

        data[n] = '\0';
        reply_to = strstr(data, "reply-to ");
        if (reply_to) {
            mqd_t answers = mq_open(reply_to + 9, O_WRONLY);

            mq_send(answers, "answer", 6, 0);
            mq_close(answers);
        }
    }
    return 1;
}

int main(int argc, char *argv[])
{
    return argc > 1 && strcmp(argv[1], "server") == 0 ? server() : client();
}
