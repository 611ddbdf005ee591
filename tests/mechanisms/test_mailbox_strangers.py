"""Programs from outside in a mailbox: in another language, with another library, knowing nothing but its name."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import posix_ipc
import pytest

from ipctui.kernel import mqueue
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.pane import draw
from ipctui.widgets.view import View
from ipctui.worker.names import new_name
from tests.lab.conftest import Bench
from tests.mechanisms.mailboxes import Open, at_rest, box, done, foreign, known, opened, used
from tests.mechanisms.stepping import stepped

pytestmark = pytest.mark.real

_IN_C = r"""
#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char *argv[])
{
    char data[8192];
    unsigned priority = 0;
    struct mq_attr attr;
    mqd_t q = mq_open(argv[1], O_RDWR);

    if (argc < 3 || q == (mqd_t)-1 || mq_getattr(q, &attr) == -1)
        return 1;
    if (strcmp(argv[2], "count") == 0)
        return printf("%ld of %ld\n", attr.mq_curmsgs, attr.mq_maxmsg) < 0;
    if (strcmp(argv[2], "send") == 0)
        return mq_send(q, argv[3], strlen(argv[3]), 3) == -1;
    ssize_t n = mq_receive(q, data, sizeof data, &priority);
    return n < 0 || printf("%.*s", (int)n, data) < 0;
}
"""

_BY_CTYPES = """
import ctypes, sys
library = ctypes.CDLL(None, use_errno=True)
if not hasattr(library, "mq_open"):
    library = ctypes.CDLL("librt.so.1", use_errno=True)
queue = library.mq_open(sys.argv[1].encode(), 1)
assert queue >= 0, ctypes.get_errno()
text = sys.argv[2].encode()
assert library.mq_send(queue, text, len(text), 0) == 0, ctypes.get_errno()
"""


@pytest.fixture
def mailbox() -> Iterator[Open]:
    yield from opened()


@pytest.fixture(scope="module")
def in_c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A C program that counts, sends and receives; it shares nothing with us but mq_overview(7)."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc) on this machine")
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "foreign.c").write_text(_IN_C)
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-o", "foreign", "foreign.c", "-lrt"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return folder / "foreign"


def ran(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=20, check=True)
    return done.stdout.strip()


def text_of(lab: Bench, language: str = "en") -> str:
    """The pane as it is drawn now."""
    frame = draw(lab.lab.state, View(language=language, now=lab.lab.now()), 100, 30)
    return "\n".join("".join(span[0] for span in row) for row in frame.rows)


def test_a_c_program_finds_what_the_pane_says_and_its_message_is_drawn_as_foreign(mailbox: Open, in_c: Path) -> None:
    name = f"/{new_name()}"
    lab = mailbox("one-to-one", name=name, rate=20)
    at_rest(lab)
    assert box(lab).object == name
    before = used(lab)
    assert ran(in_c, name, "count") == f"{before} of {box(lab).capacity}"
    ran(in_c, name, "send", "from C")
    lab.until(lambda: known(lab)["strangers"] == 1, what="the stranger's message told")
    assert (used(lab), len(known(lab)["items"])) == (before + 1, before)
    drawn = text_of(lab)
    assert '"foreign"' in drawn
    assert "1 of them no worker sent" in drawn
    told = f"counts {before + 1} messages in {name}"
    lab.until(lambda: told in " ".join(caption(lab.lab.state, "en").split()))
    assert "외부" in text_of(lab, "ko")
    done(lab, "receive receiver")
    lab.until(lambda: (known(lab)["foreign"] or ())[:2] == ["receiver", "from C"], what="priority 3 leaves first")
    lab.until(lambda: '"from C" from a program outside' in caption(lab.lab.state, "en"))
    lab.until(lambda: known(lab)["strangers"] == 0 and used(lab) == before)
    assert lab.finish().proofs["strangers_sent"] == 1


def test_a_c_program_takes_a_message_and_it_is_missed(mailbox: Open, in_c: Path) -> None:
    lab = mailbox("one-to-one", rate=20)
    at_rest(lab)
    there = used(lab)  # what came between the two holds
    stepped(lab, "sender")
    lab.until(lambda: used(lab) == there + 1 and box(lab).facts["quiet"], what="a message more in it")
    first, before = known(lab)["items"][0], used(lab)
    assert ran(in_c, box(lab).object, "receive").startswith(first[1])
    lab.until(lambda: known(lab)["taken"] == 1 and used(lab) == before - 1, what="the message missed")
    assert first not in known(lab)["items"]
    assert lab.finish().proofs["strangers_took"] == 1


def test_bare_ctypes_may_send_too(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=5)
    lab.until(lambda: bool(lab.lab.state.channels))
    ran(sys.executable, "-I", "-c", _BY_CTYPES, box(lab).object, "by hand")
    lab.until(
        lambda: (known(lab)["foreign"] or ())[:2] == ["receiver", "by hand"], what="the stranger's message received"
    )
    lab.until(lambda: "by hand" in caption(lab.lab.state, "ko"))


def test_a_hostile_message_is_made_harmless_before_it_is_drawn(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=5)
    lab.until(lambda: bool(lab.lab.state.channels))
    foreign(box(lab).object, "send", "\x1b[2J[red]\x07 bell", "0")
    lab.until(lambda: (known(lab)["foreign"] or ["", ""])[1] != "", what="it received")
    lab.until(lambda: "from a program outside" in caption(lab.lab.state, "en"))
    assert "\x1b" not in text_of(lab) + caption(lab.lab.state, "en")


def test_who_holds_it_open_from_outside_is_counted_among_its_ends(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=5)
    lab.until(lambda: bool(lab.lab.state.channels))
    stay = "import posix_ipc, sys; q = posix_ipc.MessageQueue(sys.argv[1], read=False); print(flush=True); input()"
    command = [sys.executable, "-c", stay, box(lab).object]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as outsider:
        assert outsider.stdout is not None
        outsider.stdout.readline()
        lab.until(lambda: f"pid {outsider.pid}" in box(lab).writers, what="the outsider among the senders")
        outsider.communicate(b"\n")
    lab.until(lambda: f"pid {outsider.pid}" not in box(lab).writers)


def test_a_strangers_message_goes_to_whoever_receives_next(mailbox: Open) -> None:
    lab = mailbox("one-to-one", rate=20)
    at_rest(lab)
    foreign(box(lab).object, "send", "from outside", "0")
    lab.until(lambda: known(lab)["strangers"] == 1, what="the stranger's message told")
    lab.until(lambda: "no worker here has sent" in caption(lab.lab.state, "en"))
    lab.do("release receiver")
    lab.until(lambda: known(lab)["strangers"] == 0)
    assert lab.finish().proofs["strangers_sent"] == 1


def test_a_mailbox_that_was_there_is_joined_and_kept(mailbox: Open) -> None:
    name = f"/{new_name()}"
    theirs = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=5, max_message_size=2048)
    try:
        theirs.send(b"from before")
        lab = mailbox("one-to-one", name=name, rate=5)
        lab.until(lambda: (known(lab)["foreign"] or ())[:2] == ["receiver", "from before"])
        assert (box(lab).capacity, box(lab).facts["joined"]) == (5, True)
        assert "was there before" in done(lab, "delete")
        assert not any("O_CREAT" in call.args for call in lab.calls("receiver", "mq_open")), "joined, not made"
        lab.lab.close()
        assert mqueue.find(name) is not None, "what is not ours is never deleted"
    finally:
        theirs.close()
        posix_ipc.unlink_message_queue(name)


def test_a_joined_mailbox_that_its_maker_deletes_is_not_made_again(mailbox: Open) -> None:
    name = f"/{new_name()}"
    theirs = posix_ipc.MessageQueue(name, posix_ipc.O_CREX, max_messages=5, max_message_size=2048)
    try:
        lab = mailbox("one-to-one", name=name, rate=5)
        lab.until(lambda: lab.count("receiver", "mq_receive") >= 1)
        posix_ipc.unlink_message_queue(name)
        lab.until(lambda: box(lab).facts["unlinked"], what="the name gone")
        lab.until(lambda: "is deleted" in caption(lab.lab.state, "en"))
        assert "only names of its own" in done(lab, "create sender")
        lab.do("restart sender")
        lab.until(lambda: "ENOENT" in caption(lab.lab.state, "en"), what="the failed open told")
        assert mqueue.find(name) is None
    finally:
        theirs.close()


@pytest.mark.parametrize("suffix", ["-out", "-client"])
def test_names_of_the_users_beside_the_chosen_one_are_never_unlinked(mailbox: Open, suffix: str) -> None:
    from ipctui.lab.parameters import UsageError

    name = f"/{new_name()}"
    theirs = posix_ipc.MessageQueue(name + suffix, posix_ipc.O_CREX, max_messages=5, max_message_size=2048)
    try:
        if suffix == "-client":
            with pytest.raises(UsageError, match="is there already"):
                mailbox("two-way", name=name)
        else:
            lab = mailbox("pipeline", name=name, rate=20)
            lab.until(lambda: lab.count("consumer", "mq_receive") > 3)
            lab.lab.close()
        assert mqueue.find(name + suffix) is not None
        assert mqueue.find(name) is None
    finally:
        theirs.close()
        posix_ipc.unlink_message_queue(name + suffix)
