"""Message queues looked at: against posix_ipc's own word, and nothing received by looking."""

import os
from collections.abc import Iterator

import posix_ipc
import pytest

from ipctui.kernel import mqueue
from ipctui.worker.names import new_name

from .conftest import open_here

pytestmark = pytest.mark.real


@pytest.fixture
def queue() -> Iterator[posix_ipc.MessageQueue]:
    name = f"/{new_name()}"
    made = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=3, max_message_size=100)
    yield made
    made.close()
    try:
        posix_ipc.unlink_message_queue(name)
    except posix_ipc.ExistentialError:
        pass


def test_attributes_and_fill_are_those_that_the_owner_sees(queue: posix_ipc.MessageQueue) -> None:
    queue.send(b"four")
    queue.send(b"seven77", priority=9)
    for seen in (mqueue.observe(os.getpid(), queue.mqd), mqueue.find(queue.name)):
        assert seen is not None
        assert (seen.messages, seen.capacity, seen.message_size) == (queue.current_messages, 3, 100)
        assert (seen.bytes, seen.uid, seen.unlinked, seen.refused) == (11, os.getuid(), False, None)
        assert seen.mode == 0o600
    assert queue.current_messages == 2, "looking receives nothing"
    assert queue.receive() == (b"seven77", 9)


def test_who_is_registered_for_notification_is_told(queue: posix_ipc.MessageQueue) -> None:
    assert mqueue.observe(os.getpid(), queue.mqd).notify is None
    queue.request_notification(0)
    queue.request_notification(None)
    queue.request_notification((lambda given: None, None))
    assert mqueue.observe(os.getpid(), queue.mqd).notify == os.getpid()


def test_a_deleted_name_is_told_by_who_has_it_open(queue: posix_ipc.MessageQueue) -> None:
    posix_ipc.unlink_message_queue(queue.name)
    assert mqueue.find(queue.name) is None
    assert mqueue.observe(os.getpid(), queue.mqd).unlinked


def test_looking_leaves_no_descriptor_behind(queue: posix_ipc.MessageQueue) -> None:
    before = open_here()
    for _ in range(20):
        mqueue.observe(os.getpid(), queue.mqd)
        mqueue.find(queue.name)
    assert open_here() == before


def test_what_cannot_be_looked_at_says_why() -> None:
    seen = mqueue.observe(os.getpid(), 9999)
    assert seen.messages is None
    assert "no open message queue" in (seen.refused or "")
    assert mqueue.find("/ipctui-there-is-none") is None


def test_the_limits_are_the_systems() -> None:
    limits = mqueue.limits()
    assert limits.messages == int((mqueue.LIMITS / "msg_max").read_text())
    assert limits.message_size == int((mqueue.LIMITS / "msgsize_max").read_text())
    assert limits.bytes is None or limits.bytes > 0


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("orders", "begins with a slash"),
        ("/a/b", "one slash"),
        ("/", "behind the slash"),
        ("/..", "behind the slash"),
        ("/a\nb", "control"),
        ("/" + "x" * 256, "255 bytes"),
        ("/" + "한" * 100, "255 bytes"),
    ],
)
def test_a_bad_name_is_told_in_words_and_is_refused_by_the_kernel(name: str, word: str) -> None:
    assert word in mqueue.why_no_name(name)
    if word != "control":  # the kernel takes those; the pane could not show them
        with pytest.raises((posix_ipc.Error, OSError, ValueError)):
            posix_ipc.MessageQueue(name if name != "orders" else "/or/ders", posix_ipc.O_CREX)


def test_a_good_name_is_no_problem() -> None:
    assert mqueue.why_no_name("/orders") == mqueue.why_no_name("/" + "x" * 255) == ""


def test_the_status_line_is_read_whatever_its_spacing() -> None:
    text = "QSIZE:129        NOTIFY:2     SIGNO:0     NOTIFY_PID:8260 \n"
    assert mqueue.parse_status(text) == (129, 8260)
    assert mqueue.parse_status("") == (None, None)
