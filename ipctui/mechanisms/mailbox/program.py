"""The programs that processes run on mailboxes: create, send, receive, delete.

`given.create` is O_CREAT; 0 for a mailbox that was there before the session, which is joined and not made.
"""

from __future__ import annotations

from errno import EEXIST
from os import O_CREAT, O_EXCL, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY
from signal import SIGUSR1, signal
from types import SimpleNamespace

from ipctui.worker.calls import Calls


def sender(calls: Calls, given: SimpleNamespace) -> None:
    """Make the mailbox if it is not there yet, and send to it; who receives is not said."""
    q = calls.mq_open(given.mailbox, given.create | O_WRONLY, 0o600, given.capacity, given.largest)
    for message in calls.messages():
        while calls.mq_send(q, message) is None:
            pass  # EAGAIN: the mailbox is full
    calls.mq_close(q)


def receiver(calls: Calls, given: SimpleNamespace) -> None:
    """Receive from the mailbox; who sent is not asked."""
    q = calls.mq_open(given.mailbox, given.create | O_RDONLY, 0o600, given.capacity, given.largest)
    while True:
        message, _ = calls.mq_receive(q)
        took(calls, message)  # None: EAGAIN, the mailbox is empty


def took(calls: Calls, message: bytes | None) -> int:
    """Count what was received: each receive is one message, whatever bytes a stranger put into it."""
    return calls.received(message and message.replace(b"\n", b" ") + b"\n")


def receiver_in_place(calls: Calls, given: SimpleNamespace) -> None:
    """one-to-many, two processes at most: the sender and one more; a third does not even open the mailbox."""
    places = calls.sem_open(given.places, O_CREAT, 0o600, 1)
    while calls.sem_wait(places) is None:
        pass
    try:
        receiver(calls, given)
    finally:
        calls.sem_post(places)  # whoever leaves makes room for the next; whoever is killed does not


def receiver_in_turn(calls: Calls, given: SimpleNamespace) -> None:
    """one-to-many, one receiver at a time: only who has the turn is in receive."""
    q = calls.mq_open(given.mailbox, given.create | O_RDONLY, 0o600, given.capacity, given.largest)
    turn = calls.sem_open(given.turn, O_CREAT, 0o600, 1)
    while True:
        while calls.sem_wait(turn) is None:
            pass
        try:
            message, _ = calls.mq_receive(q)
        finally:
            calls.sem_post(turn)
        took(calls, message)


def client(calls: Calls, given: SimpleNamespace) -> None:
    """two-way: ask in one mailbox, be answered in another, whose name travels in the question."""
    reply_to = f"{given.mailbox}-{calls.seat.role}"
    answers = calls.mq_open(reply_to, O_CREAT | O_RDONLY, 0o600, given.capacity, given.largest)
    questions = calls.mq_open(given.mailbox, given.create | O_WRONLY, 0o600, given.capacity, given.largest)
    for message in calls.messages():
        question = message[:-1] + b" reply-to " + reply_to.encode() + b"\n"
        while calls.mq_send(questions, question) is None:
            pass
        answer = None
        while answer is None:
            answer, _ = calls.mq_receive(answers)
        took(calls, answer)
    calls.mq_close(questions)
    calls.mq_close(answers)
    calls.mq_unlink(reply_to)


def server(calls: Calls, given: SimpleNamespace) -> None:
    """two-way: answer each question in the mailbox that it names."""
    questions = calls.mq_open(given.mailbox, given.create | O_RDONLY, 0o600, given.capacity, given.largest)
    known: dict[str, int] = {}
    while True:
        question, _ = calls.mq_receive(questions)
        if not took(calls, question):
            continue
        reply_to = (question or b"").rpartition(b" reply-to ")[2].strip().decode("utf-8", "replace")
        try:
            if reply_to not in known:
                known[reply_to] = calls.mq_open(reply_to, O_WRONLY)
        except (OSError, ValueError):
            continue  # a question without a mailbox for its answer
        answer = calls.message()
        while calls.mq_send(known[reply_to], answer) is None:
            pass


def urgent(calls: Calls, given: SimpleNamespace) -> None:
    """priority: what is sent here overtakes all that is less urgent and still waits."""
    q = calls.mq_open(given.mailbox, given.create | O_WRONLY, 0o600, given.capacity, given.largest)
    for message in calls.messages():
        while calls.mq_send(q, message, given.priority) is None:
            pass
    calls.mq_close(q)


def notified(calls: Calls, given: SimpleNamespace) -> None:
    """notify: work on something else until a signal tells that a message has come into the empty mailbox."""
    arrived: list[int] = []
    signal(SIGUSR1, lambda number, frame: arrived.append(number))
    flags = given.create | O_RDONLY | O_NONBLOCK
    q = calls.mq_open(given.mailbox, flags, 0o600, given.capacity, given.largest)
    while True:
        calls.mq_notify(q, SIGUSR1)  # good for one signal: register first, then empty the mailbox
        while (message := calls.mq_receive(q)[0]) is not None:
            took(calls, message)
        while not arrived:
            calls.clock_nanosleep(0.05)  # its own work
        arrived.clear()


def creator(calls: Calls, given: SimpleNamespace) -> None:
    """outlives: make the mailbox, fill it, and end; the messages stay."""
    return sender(calls, given)


def heir(calls: Calls, given: SimpleNamespace) -> None:
    """outlives: receive what a process that is no more has sent, and delete the mailbox."""
    q = calls.mq_open(given.mailbox, O_RDONLY | O_NONBLOCK)
    while (message := calls.mq_receive(q)[0]) is not None:
        took(calls, message)
    calls.mq_close(q)
    if not given.joined:
        calls.mq_unlink(given.mailbox)


def prosumer(calls: Calls, given: SimpleNamespace) -> None:
    """pipeline: consumer of one mailbox, producer for the next."""
    inbox = calls.mq_open(given.mailbox, given.create | O_RDONLY, 0o600, given.capacity, given.largest)
    outbox = calls.mq_open(given.outbox, given.create_out | O_WRONLY, 0o600, given.capacity, given.largest)
    while True:
        message, _ = calls.mq_receive(inbox)
        if took(calls, message):
            product = calls.message()
            while calls.mq_send(outbox, product) is None:
                pass


def consumer(calls: Calls, given: SimpleNamespace) -> None:
    """pipeline: the last stage."""
    q = calls.mq_open(given.outbox, given.create_out | O_RDONLY, 0o600, given.capacity, given.largest)
    while True:
        message, _ = calls.mq_receive(q)
        took(calls, message)


# What a command asks of one process, between two operations of its program.


def create(calls: Calls, given: SimpleNamespace, name: str, lost: bool) -> str:
    """Make a mailbox of this name; who has lost its own may find one that another has made (EEXIST) and take that."""
    try:
        q = calls.mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0o600, given.capacity, given.largest)
    except FileExistsError:
        if not lost:
            raise OSError(EEXIST, f"{name} is there, and O_EXCL makes mq_open fail then; delete it first (8)") from None
        return f"{name} is there already (EEXIST), made by another: opened"
    calls.mq_close(q)
    return f"mq_open with O_CREAT | O_EXCL made {name}; its program begins anew there"


def receive(calls: Calls, given: SimpleNamespace, q: int) -> str:
    """Receive one message more, held or not."""
    message, priority = calls.mq_receive(q)
    if message is None:
        return "no message: mq_receive ended with EAGAIN or EINTR"
    took(calls, message)
    return f"{len(message)} bytes of priority {priority}"


def delete(calls: Calls, given: SimpleNamespace, name: str) -> str:
    """Take a mailbox's name away; who has it open keeps it."""
    calls.mq_unlink(name)
    return f"mq_unlink: {name} is no name any more; who has the mailbox open keeps it"


def nicer(calls: Calls, given: SimpleNamespace, increment: int) -> str:
    """Give way to others: what waits in receive is served by its scheduling priority first."""
    value = calls.nice(increment)
    return f"nice {value}; the kernel orders who waits in receive by it from this process's next wait on"
