"""How each recording in `recordings/` was made."""

from __future__ import annotations

from tests.made_systems import SYSTEMS
from tests.making import Made, made, script

HOSTILE = "\x1b[2J\x07\u202e\udcff 한글 🙂 e\u0301 [/oops]\t"
"""A message that clears the screen, rings, turns the writing round, is no UTF-8 and looks like markup."""


PIPE: dict[str, Made] = {
    "one-way": made("bytes pass from parent to child", 2.5, "one-way", 3),
    "held": made(
        "the child held by the user, the parent therefore blocked in write by the kernel",
        5.8,
        "one-way",
        6,
        *script("1:hold child"),
    ),
    "half-written": made(
        "a message of 10,000 bytes stands half written before a held child",
        1.8,
        "one-way",
        2,
        *("--set", "size=10000", "--set", "rate=5"),
        *script("0.5:hold child"),
    ),
    "stopped": made("the parent under SIGSTOP", 1.8, "one-way", 2, *script("1:stop parent")),
    "non-blocking": made(
        "a non-blocking child that finds the pipe empty: EAGAIN",
        1.8,
        "one-way",
        2,
        *script("0.5:rate child 60", "0.6:nonblocking child"),
    ),
    "sigpipe": made(
        "the last read end is closed: SIGPIPE kills the writer", 1.8, "one-way", 2, *script("1:close child read")
    ),
    "epipe": made(
        "the same with SIGPIPE ignored: the write fails with EPIPE",
        1.8,
        "one-way",
        2,
        *("--set", "sigpipe=ignore"),
        *script("1:close child read"),
    ),
    "killed": made("the child killed with SIGKILL", 0.96, "one-way", 1.5, *script("0.9:kill child")),
    "ended": made("ten messages, end of file, and everybody ends", 1.4, "one-way", 1.5, "--set", "messages=10"),
    "hostile": made(
        "a message with escape sequences, Korean, emoji and broken UTF-8 waits in the pipe",
        1.8,
        "one-way",
        2,
        *("--set", "rate=4"),
        *script("0.5:hold child", f"0.55:inject parent {HOSTILE}"),
    ),
    "steps": made(
        "both held from the start; the parent stepped through pipe(), fcntl(), fork() and close()",
        2.8,
        "one-way",
        3,
        *("--set", "start=held"),
        *script("0.5:step parent", "1:step parent", "1.5:step parent", "2:step parent", "2.5:step parent"),
    ),
    "two-way": made("questions and answers, then the child held", 2.8, "two-way", 3, *script("2:hold child")),
    "forgotten-end": made("the child waits for an end of file that never comes", 2.8, "forgotten-end", 3),
    "deadlock": made("both write more than fits before they read", 2.8, "deadlock", 3),
    "many-writers": made(
        "two children write into one pipe, ten messages a second each", 2.8, "many-writers", 3, "--set", "rate=10"
    ),
    "torn": made("two children flat out: messages above PIPE_BUF are torn", 0.28, "many-writers", 0.3),
    "twelve": made(
        "twelve children, the parent held: all are blocked by one full pipe",
        1.8,
        "many-writers",
        2,
        *("--set", "producers=12", "--set", "rate=2"),
        *script("0.5:hold parent"),
    ),
    "packets": made(
        "O_DIRECT: a pipe of four slots is full with four messages of 64 bytes",
        1.8,
        "packets",
        2,
        *script("0.5:hold child"),
    ),
}
"""The recordings of the ordinary pipe by their names, in the order of the lesson."""

OTHERS: dict[str, Made] = {
    "fifo-alone": made(
        "the writer came first: open() sleeps until a reader opens the same name",
        1.8,
        "one-way",
        2,
        mechanism="fifo",
    ),
    "fifo-one-way": made(
        "the reader held: the FIFO fills, and the writer sleeps in write()",
        4.8,
        "one-way",
        5,
        *("--set", "rate=40"),
        *script("0.5:release reader", "1:hold reader"),
        mechanism="fifo",
    ),
    "fifo-two-way": made("questions and answers through two FIFOs", 2.8, "two-way", 3, mechanism="fifo"),
    "fifo-deadlock": made("both opened the wrong end first", 3.8, "deadlock", 4, mechanism="fifo"),
    "fifo-many-writers": made(
        "strangers write faster than one reads: messages above PIPE_BUF are torn",
        3.8,
        "many-writers",
        4,
        *script("0.15:release writer1", "0.15:release writer2"),
        mechanism="fifo",
    ),
    "fifo-eight-writers": made(
        "eight writers asleep before one reader that is held",
        2.8,
        "many-writers",
        3,
        *("--set", "producers=8", "--set", "size=1000", "--set", "rate=2"),
        *script(*(f"0.{number}:release writer{number}" for number in range(1, 9)), "0.9:hold reader"),
        mechanism="fifo",
    ),
    "fifo-many-readers": made("each message goes to one reader", 4.8, "many-readers", 5, mechanism="fifo"),
    "fifo-nonblocking-open": made(
        "O_NONBLOCK without a reader: open() does not wait, it fails with ENXIO",
        2.8,
        "nonblocking-open",
        3,
        mechanism="fifo",
    ),
    "fifo-empty-reads": made(
        "O_NONBLOCK without a writer: read() does not wait, it returns nothing",
        2.8,
        "nonblocking-open",
        3,
        *script("1:release reader", "1:hold writer"),
        mechanism="fifo",
    ),
    "fifo-turns": made("one FIFO both ways, in turns", 4.8, "turns", 5, mechanism="fifo"),
    "fifo-too-early": made(
        "who reads before its turn hears itself", 3.8, "turns", 4, *("--set", "early=yes"), mechanism="fifo"
    ),
    "fifo-unlinked": made(
        "the name is gone while both ends are open: the bytes pass on",
        2.8,
        "one-way",
        3,
        *script("0.5:release reader", "2:unlink"),
        mechanism="fifo",
    ),
    "shm-semaphores": made(
        "the consumer held: all slots but one are full, and the producer sleeps on a semaphore",
        2.8,
        "semaphores",
        3,
        *script("1:hold consumer"),
        mechanism="shm",
    ),
    "shm-spin": made(
        "the consumer held: the producer looks and looks, and burns a core",
        2.1,
        "spin",
        2.2,
        *script("0.4:hold consumer"),
        mechanism="shm",
    ),
    "shm-many": made(
        "two producers and two consumers, who are held: both producers sleep",
        2.8,
        "many",
        3,
        *script("1:hold consumer1", "1:hold consumer2"),
        mechanism="shm",
    ),
    "shm-unlinked": made(
        "shm_unlink: the name is gone, the mappings live on",
        1.8,
        "semaphores",
        2,
        *script("1:unlink"),
        mechanism="shm",
    ),
    "shm-private": made("what the hermit stores nobody sees", 2.8, "private", 3, mechanism="shm"),
    "shm-race": made("updates are lost without the lock", 2.8, "race", 3, mechanism="shm"),
    "shm-locked": made("no update is lost with the lock", 1.8, "race", 2, *("--set", "lock=on"), mechanism="shm"),
    "shm-dead-owner": made(
        "killed with both locks in hand: the semaphore stays 0, the robust mutex recovers",
        2.8,
        "dead-owner",
        3,
        *script("1.5:kill owner"),
        mechanism="shm",
    ),
    "mailbox-one-to-one": made(
        "the receiver held: the mailbox is full, and the sender sleeps",
        2.8,
        "one-to-one",
        3,
        *script("1:hold receiver"),
        mechanism="mailbox",
    ),
    "mailbox-one-to-many": made("two wait, and each message goes to one", 3.7, "one-to-many", 4, mechanism="mailbox"),
    "mailbox-nicer": made(
        "p2 made itself nicer: it waits, and is passed over",
        3.7,
        "one-to-many",
        4,
        *script("1:nice p2"),
        mechanism="mailbox",
    ),
    "mailbox-many-to-one": made(
        "the receiver held: several senders asleep before one full mailbox",
        4.8,
        "many-to-one",
        5,
        *script("1:hold receiver"),
        mechanism="mailbox",
    ),
    "mailbox-twelve": made(
        "twelve senders, more than a small screen has room for",
        1.8,
        "many-to-one",
        2,
        *("--set", "senders=12"),
        *script("0.5:hold receiver"),
        mechanism="mailbox",
    ),
    "mailbox-two-way": made(
        "the answer goes to the box that the question names", 2.8, "two-way", 3, mechanism="mailbox"
    ),
    "mailbox-priority": made(
        "the receiver held: the urgent stand before the ordinary",
        2.8,
        "priority",
        3,
        *script("1:hold receiver"),
        mechanism="mailbox",
    ),
    "mailbox-notify": made("a signal tells of a message", 2.8, "notify", 3, mechanism="mailbox"),
    "mailbox-outlives": made("the creator has ended, the messages wait", 1.8, "outlives", 2, mechanism="mailbox"),
    "mailbox-pipeline": made(
        "the middle stage held: the queue before it is full, the one behind it empty",
        4.8,
        "pipeline",
        5,
        *script("1:hold prosumer"),
        mechanism="mailbox",
    ),
    "direct-symmetric": made(
        "q held: r names q, and sleeps though a message of p's waits for it",
        4.4,
        "symmetric",
        4.5,
        *script("1.5:hold q"),
        mechanism="direct",
    ),
    "direct-asymmetric": made(
        "the receiver takes from anybody, and is told who", 3.8, "asymmetric", 4, mechanism="direct"
    ),
    "direct-eight": made(
        "eight senders, each with a link of its own",
        2.8,
        "asymmetric",
        3,
        *("--set", "producers=8", "--set", "rate=2"),
        *script("2:hold q"),
        mechanism="direct",
    ),
    "direct-rename": made(
        "q has another name: whoever named the old one fails at once",
        2.8,
        "rename",
        3,
        *script("2:rename q s"),
        mechanism="direct",
    ),
    "direct-forged": made("m said it was p: SO_PEERCRED tells who it is", 5.3, "forged", 5.5, mechanism="direct"),
    **SYSTEMS,
}
"""The recordings of the other mechanisms; a name begins with its mechanism's."""

MADE: dict[str, Made] = {**PIPE, **OTHERS}
"""Every recording by its name."""
