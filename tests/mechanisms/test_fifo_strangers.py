"""What strangers do to a FIFO and with it: names that are taken, programs in another language that take part."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ipctui.mechanisms.fifo.caption import caption
from ipctui.mechanisms.fifo.pane import PANE
from ipctui.widgets.view import View
from tests.lab.conftest import Bench
from tests.mechanisms.laboratories import Laboratories
from tests.mechanisms.stepping import held, stepped

pytestmark = pytest.mark.real
Open = Callable[..., Bench]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Open]:
    """Opens laboratories of the FIFO at `tmp_path/fifo`, where nothing may be left when they are closed."""
    laboratories = Laboratories()

    def open_lab(variant: str = "one-way", **values: object) -> Bench:
        return laboratories.open("fifo", variant, **{"name": tmp_path / "fifo"} | values)

    yield open_lab
    laboratories.close()
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith("own")] == []


# Names of the user's.


def test_an_existing_fifo_is_joined_by_strangers_and_never_unlinked(bench: Open, tmp_path: Path) -> None:
    path = tmp_path / "own-fifo"
    os.mkfifo(path)
    inode = path.stat().st_ino
    lab = bench("one-way", name=path)
    lab.until_state("writer", "blocked", "open")
    code = (
        "import sys\nfile = open(sys.argv[1], 'rb', 0)\nprint(file.read(64).decode()); sys.stdout.flush(); file.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as stranger:
        try:
            assert stranger.stdout is not None
            lab.until(lambda: lab.count("writer", "write") > 2)
            assert stranger.stdout.readline().startswith(b"writer:1 ")
            lab.until(lambda: f"pid {stranger.pid}" in lab.channel().readers)
            assert lab.do("unlink").startswith("refused: unlink: ")
            assert [call.name for call in lab.calls("writer", "mkfifo")] == []
        finally:
            stranger.kill()
    lab.lab.close()
    assert path.stat().st_ino == inode


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("x"), "a regular file is there"),
        (lambda path: path.mkdir(), "a directory is there"),
    ],
)
def test_what_is_no_fifo_is_refused_in_a_line(
    bench: Open, tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "own"
    make(path)
    with pytest.raises(Exception, match=said) as refused:
        bench("one-way", name=path)
    assert "\n" not in str(refused.value)
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/no/such/folder/fifo", "there is no folder /no/such/folder; mkdir makes it"),
        ("", "write the path of a FIFO"),
        ("/tmp/", "write the path of a FIFO"),
        ("/tmp/" + "x" * 300, "File name too long"),
        ("/tmp/a\0b", "a path has no NUL in it"),
    ],
)
def test_a_path_that_cannot_be_is_refused_in_a_line(bench: Open, name: str, said: str) -> None:
    with pytest.raises(Exception, match=said) as refused:
        bench("one-way", name=name)
    assert "\n" not in str(refused.value)


def test_a_strangers_file_outlives_the_session(bench: Open, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    lab = bench("one-way")
    lab.until_state("writer", "blocked", "open")
    path.unlink()
    path.write_text("not yours")
    lab.lab.close()
    assert path.read_text() == "not yours"
    path.unlink()


def test_who_comes_by_itself_does_not_open_a_strangers_file(bench: Open, tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    lab = bench("turns")  # the callee comes after a second and a half, and would write into the file in its turn
    lab.until_state("caller", "blocked", "open")
    path.unlink()
    path.write_text("not yours")
    told = f"callee is not started: a regular file is at {path} now, where the FIFO was; take it away first"
    lab.until(lambda: any(event.data["line"] == told for event in lab.events("stderr")), 10, "the reason told")
    assert lab.process("callee").pid == 0
    assert lab.do("release callee").startswith("refused: a regular file is at ")
    assert path.read_text() == "not yours"
    path.unlink()
    os.mkfifo(path)
    lab.until_state("callee", "blocked", "open", 10)
    assert len(lab.events("stderr")) == 1, "told once"


# Programs of other people's.

FOREIGN = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char line[256] = "";
    int waiting = -1, writes = argv[1][0] == 'w';
    int fd = open(argv[2], writes ? O_WRONLY : O_RDONLY);

    if (argc < 3 || fd == -1)
        return 1;
    if (writes && write(fd, argv[3], strlen(argv[3])) == -1)
        return 1;
    if (!writes && read(fd, line, sizeof line - 1) <= 0)
        return 1;
    line[strcspn(line, "\n")] = '\0';
    if (ioctl(fd, FIONREAD, &waiting) == -1)
        return 1;
    printf("%d %s\n", waiting, line);
    fflush(stdout);
    while (read(0, line, sizeof line) > 0)
        ;
    return 0;
}
"""


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program in C that opens a FIFO by name: `foreign w PATH TEXT`, `foreign r PATH`; it leaves at end of file."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "foreign.c").write_text(FOREIGN)
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "foreign.c", "-o", "foreign"], cwd=folder, check=True)
    return folder / "foreign"


@contextlib.contextmanager
def stranger(lab: Bench, program: Path, *words: object) -> Iterator[tuple[int, Callable[[], str]]]:
    """Runs the foreign program while the laboratory goes on: its pid, and what it says in its first line."""
    command = [str(program), *map(str, words)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        said = ""

        def heard() -> str:
            nonlocal said
            assert child.stdout is not None
            with contextlib.suppress(BlockingIOError):
                said += os.read(child.stdout.fileno(), 4096).decode()
            return said if said.endswith("\n") else ""

        try:
            yield child.pid, heard
        finally:
            assert child.stdin is not None
            child.stdin.close()
            child.wait(10)


def test_a_writer_in_c_takes_part_and_is_told_of(bench: Open, tmp_path: Path, foreign: Path) -> None:
    lab = bench("one-way", rate=50)
    lab.do("release reader")
    lab.until(lambda: lab.count("reader", "read") > 3)
    held(lab, "reader")
    held(lab, "writer")
    while lab.channel().used:
        stepped(lab, "reader")  # else the next read would begin with a message, and the record show no more than that
    text = "bytes of another's \x1b[31m\n"
    with stranger(lab, foreign, "w", tmp_path / "fifo", text) as (pid, heard):
        lab.until(heard, what="the foreign program's word")
        lab.until(lambda: f"pid {pid}" in lab.channel().writers, what="the foreign writer counted")
        waiting = int(heard().split()[0])
        lab.until(lambda: lab.channel().used == waiting, what="the fill that FIONREAD told the other program")
        item = lab.channel().last or lab.channel().items[0]
        assert item.id is None
        assert item.text.startswith("bytes of another's")
        for size in ((80, 24), (120, 36)):
            for zoom in ("", "contents"):
                picture = PANE.draw(lab.lab.state, View(now=lab.lab.now(), zoom=zoom), *size).text()
                assert "\x1b" not in picture
                assert f"pid {pid}" in picture
                if zoom:
                    assert "bytes of another's" in picture
        for role in ("writer", "reader"):
            lab.do(f"release {role}")
        sentence = f"pid {pid} is none of the workers and has this FIFO open for writing"
        lab.until(lambda: caption(lab.lab.state, "en").startswith(sentence))
        assert caption(lab.lab.state, "ko").startswith(f"워커가 아닌 pid {pid}도")
        lab.until(lambda: any("bytes of another" in call.args for call in lab.calls("reader", "read")))
        assert all("another" not in message for call in lab.calls("reader", "read") for message in call.message)
    lab.until(lambda: lab.channel().writers == ("writer",), what="the foreign writer gone")


def test_a_reader_in_c_takes_a_message_and_is_told_of(bench: Open, tmp_path: Path, foreign: Path) -> None:
    lab = bench("one-way", rate=50, start="held")  # so that the reader, which comes by itself, does nothing
    lab.do("release writer")
    lab.until_state("writer", "blocked", "open")
    with stranger(lab, foreign, "r", tmp_path / "fifo") as (pid, heard):
        lab.until(heard, what="the foreign program's word")
        assert heard().split()[1].startswith("writer:1")
        lab.until(lambda: f"pid {pid}" in lab.channel().readers, what="the foreign reader counted")
        state = lab.until_state("writer", "blocked", "write", 10)
        assert f"pid {pid}" in (state.waker or ""), "a read by the stranger would wake it"
    assert lab.until_ended("writer") == "signal SIGPIPE"
