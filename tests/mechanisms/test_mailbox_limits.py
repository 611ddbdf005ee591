"""Bad input and bad luck of the mailbox: every limit provoked, and one sentence with the figure and what to do."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import posix_ipc
import pytest

from ipctui.kernel import mqueue
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import UsageError
from ipctui.lab.session import Lab
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.channel import CHANNEL
from ipctui.mechanisms.mailbox.pane import draw
from ipctui.trace.text import grouped
from ipctui.widgets.view import View
from ipctui.worker.names import new_name
from tests.lab.conftest import IPCTUI, Bench
from tests.mechanisms.mailboxes import Open, box, done, opened, settled, used, variant

pytestmark = pytest.mark.real
_RLIMIT_MSGQUEUE = 12
"""include/uapi/asm-generic/resource.h; the module resource has no name for it."""


@pytest.fixture
def mailbox() -> Iterator[Open]:
    yield from opened()


def test_a_deleted_name_leaves_the_mailbox_to_those_who_have_it(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    name = box(lab).object
    assert done(lab, "delete").startswith("done")
    assert mqueue.find(name) is None
    lab.until(lambda: box(lab).facts["unlinked"])
    before = lab.count("receiver", "mq_receive")
    lab.until(lambda: lab.count("receiver", "mq_receive") > before + 2)
    lab.until(lambda: "is deleted" in caption(lab.lab.state, "en"))
    assert done(lab, "delete").startswith("refused")


def test_an_heir_without_a_mailbox_ends_by_name_and_the_lab_goes_on(mailbox: Open) -> None:
    lab = mailbox("outlives", rate=100, start="held")
    lab.do("release creator")
    lab.until_ended("creator")
    lab.until(lambda: used(lab) == 5)
    assert done(lab, "delete").startswith("done")
    lab.do("release heir")
    assert lab.until_ended("heir") == "status 1"
    lab.until(lambda: "ENOENT" in caption(lab.lab.state, "en"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "orders"}, "begins with a slash"),
        ({"name": "/a/b"}, "one slash"),
        ({"capacity": 10**6}, "msg_max"),
        ({"largest": 10**9}, "msgsize_max"),
        ({"size": 2000}, "at most 1,024"),
        ({"policy": "mine"}, "one-at-a-time"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(values: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError) as raised:
        settled("one-to-one", **values)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def told(*words: str, limit: int | None = None) -> "subprocess.CompletedProcess[str]":
    """`ipctui WORDS`, with a RLIMIT_MSGQUEUE of its own."""

    def lower() -> None:
        if limit is not None:
            resource.setrlimit(_RLIMIT_MSGQUEUE, (limit, limit))

    return subprocess.run([*IPCTUI, *words], preexec_fn=lower, capture_output=True, text=True, timeout=60, check=False)


def only_line(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("name=/a/b", "one slash"),
        ("name=orders", "begins with a slash"),
        ("capacity=1000000", "msg_max"),
        ("largest=1000000000", "msgsize_max"),
    ],
)
def test_the_command_line_says_it_in_one_line(setting: str, words: str) -> None:
    line = only_line(told("run", "mailbox", "--headless", "--for", "1", "--set", setting))
    assert words in line


def test_more_bytes_than_the_user_may_have_are_refused_with_the_figure() -> None:
    done = told("run", "mailbox", "--headless", "--for", "1", limit=5000)
    assert "5,000 in all (RLIMIT_MSGQUEUE)" in only_line(done)


def test_a_second_mailbox_beyond_the_limit_ends_by_name_and_the_lab_goes_on() -> None:
    # One queue of the default size fits, the pipeline's second does not.
    limit = mqueue.footprint(10, 1024) * 3 // 2
    done = told("run", "mailbox", "--variant", "pipeline", "--text", "--for", "2", limit=limit)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "mq_open failed with EMFILE" in said
    assert f"may count {grouped(limit)} bytes in all (RLIMIT_MSGQUEUE)" in said
    assert "Traceback" not in done.stdout + done.stderr


def in_a_namespace(script: str) -> "subprocess.CompletedProcess[str]":
    """A script in a name space of message queues of its own, whose limits it may set and nobody else feels."""
    command = ["unshare", "-Uri", "sh", "-c", script]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare(1) on this machine")
    if "Operation not permitted" in done.stderr or "Permission denied" in done.stderr:
        pytest.skip("this user may not make a name space of message queues")
    return done


def test_no_room_for_another_queue_in_the_system_ends_by_name() -> None:
    words = " ".join([*IPCTUI, "run", "mailbox", "--text", "--for", "2", "--variant", "pipeline"])
    done = in_a_namespace(f"echo 1 > /proc/sys/fs/mqueue/queues_max; exec {words}")
    said = " ".join(done.stdout.split())
    assert "mq_open failed with ENOSPC" in said, done.stderr
    assert "all the 1 queues that queues_max lets it have" in said


def test_the_limits_of_a_parameter_are_the_systems_of_this_moment() -> None:
    words = " ".join([*IPCTUI, "run", "mailbox", "--headless", "--for", "1", "--set", "capacity=10"])
    done = in_a_namespace(f"echo 5 > /proc/sys/fs/mqueue/msg_max; exec {words}")
    assert done.returncode == 2
    assert "from 1 to 5" in done.stderr


@pytest.fixture
def unchecked() -> Iterator[Any]:
    """Opens a laboratory with values that nobody has checked, as when a limit changes in between."""
    launcher = LauncherClient()
    labs: list[Lab] = []

    def open_lab(name: str, **values: object) -> Bench:
        labs.append(Lab(CHANNEL, variant(name), {**settled(name), **values}, launcher))
        return Bench(labs[-1])

    yield open_lab
    for lab in labs:
        lab.close()
    launcher.close()


def test_a_size_that_the_system_does_not_allow_ends_by_name(unchecked: Any) -> None:
    if os.geteuid() == 0 and posix_ipc_allows(mqueue.limits().messages + 1):
        pytest.skip("CAP_SYS_RESOURCE lifts the limit")
    lab = unchecked("one-to-one", capacity=mqueue.limits().messages + 1)
    lab.until_ended("receiver")
    told = f"at most {mqueue.limits().messages} messages (msg_max)"
    lab.until(lambda: "EINVAL" in caption(lab.lab.state, "en") and told in caption(lab.lab.state, "en"))
    lab.until(lambda: "msgsize_max" in caption(lab.lab.state, "ko"))


def posix_ipc_allows(messages: int) -> bool:
    name = f"/{new_name()}"
    try:
        posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=messages).close()
    except (ValueError, OSError):
        return False
    posix_ipc.unlink_message_queue(name)
    return True


def test_a_message_larger_than_the_mailbox_takes_ends_its_sender_by_name(mailbox: Open) -> None:
    name = f"/{new_name()}"
    small = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=5, max_message_size=100)
    try:
        with pytest.raises(UsageError, match="at most 100 bytes"):
            settled("one-to-one", name=name, size=200)
        lab = mailbox("one-to-one", name=name, size=64)
        lab.until(lambda: lab.count("sender", "mq_send") >= 1)
        lab.do(f"inject sender {'x' * 200}")
        lab.until_ended("sender")
        lab.until(lambda: "EMSGSIZE" in caption(lab.lab.state, "en"))
        assert not lab.process("receiver").exited
    finally:
        small.close()
        posix_ipc.unlink_message_queue(name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root opens any mailbox; the next test closes one to it")
def test_a_mailbox_closed_to_this_user_is_refused_before_anything_starts() -> None:
    name = f"/{new_name()}"
    posix_ipc.MessageQueue(name, posix_ipc.O_CREX, mode=0).close()
    try:
        with pytest.raises(UsageError, match="EACCES"):
            settled("one-to-one", name=name)
    finally:
        posix_ipc.unlink_message_queue(name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user for a moment")
def test_another_users_mailbox_is_refused_to_a_user_without_the_right() -> None:
    name = f"/{new_name()}"
    posix_ipc.MessageQueue(name, posix_ipc.O_CREX, mode=0o600).close()
    script = f"""
import os
from tests.mechanisms.mailboxes import done, settled
from ipctui.kernel import mqueue
from ipctui.lab.parameters import UsageError
mqueue.find("/ipctui-there-is-none")  # loads what it needs, which another user may not read
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    settled("one-to-one", name={name!r})
except UsageError as error:
    print(error)
"""
    try:
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
        assert "of another user or closed to this one (EACCES); choose another name" in done.stdout, done.stderr
    finally:
        posix_ipc.unlink_message_queue(name)


def test_a_taken_notification_ends_the_second_receiver_by_name(mailbox: Open) -> None:
    # The sender never sends: a message would take the first receiver's registration away, and the quicker has it then.
    lab = mailbox("notify", start="held")
    lab.do("release receiver")
    lab.until(lambda: lab.is_in("receiver", "blocked", "clock_nanosleep"), what="it has registered and works on")
    assert lab.do("add receiver") == "done"
    lab.until(lambda: "EBUSY" in caption(lab.lab.state, "en"), what="the refused registration told")
    assert lab.until_ended("receiver2") == "status 1"
    assert lab.process("receiver").exited is None


def test_a_stranger_who_deletes_the_name_is_told_of(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
    posix_ipc.unlink_message_queue(box(lab).object)
    lab.until(lambda: "is deleted (mq_unlink)." in caption(lab.lab.state, "en"), what="the deletion told")
    assert "name deleted" in draw(lab.lab.state, View(now=lab.lab.now()), 100, 30).text()
    before = lab.count("receiver", "mq_receive")
    lab.until(lambda: lab.count("receiver", "mq_receive") > before + 2)
