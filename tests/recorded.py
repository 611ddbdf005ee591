"""The recordings in `recordings/`: how each was made, and how to make it again.

`python -m tests.recorded NAME…` remakes those named (all with `--all`), `python -m tests.recorded` lists them. A
recording is a real run, so a remade one has other process numbers and times: look at the snapshots afterwards.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ipctui.cli.picture import replayed
from ipctui.lab.state import LabState
from ipctui.trace.recording import Recording, read_recording

FOLDER = Path(__file__).parent / "recordings"
LARGEST = 60_000
"""Bytes that a stored recording may have: they travel with every clone."""

HOSTILE = "\x1b[2J\x07\u202e\udcff 한글 🙂 e\u0301 [/oops]\t"
"""A message that clears the screen, rings, turns the writing round, is no UTF-8 and looks like markup."""


@dataclass(frozen=True, slots=True)
class Made:
    """How a recording was made.

    Attributes:
        about: What it shows.
        arguments: What follows `ipctui run pipe --headless`.
        moment: Seconds after the clock's zero at which it is best looked at.
    """

    about: str
    arguments: tuple[str, ...]
    moment: float


def _made(about: str, moment: float, variant: str, seconds: float, *more: str) -> Made:
    return Made(about, ("--variant", variant, "--for", f"{seconds:g}", *more), moment)


def _script(*commands: str) -> tuple[str, ...]:
    return tuple(word for command in commands for word in ("--do", command))


MADE: dict[str, Made] = {
    "one-way": _made("bytes pass from parent to child", 2.5, "one-way", 3),
    "held": _made(
        "the child held by the user, the parent therefore blocked in write by the kernel",
        5.8,
        "one-way",
        6,
        *_script("1:hold child"),
    ),
    "half-written": _made(
        "a message of 10,000 bytes stands half written before a held child",
        1.8,
        "one-way",
        2,
        *("--set", "size=10000", "--set", "rate=5"),
        *_script("0.5:hold child"),
    ),
    "stopped": _made("the parent under SIGSTOP", 1.8, "one-way", 2, *_script("1:stop parent")),
    "non-blocking": _made(
        "a non-blocking child that finds the pipe empty: EAGAIN",
        1.8,
        "one-way",
        2,
        *_script("0.5:rate child 60", "0.6:nonblocking child"),
    ),
    "sigpipe": _made(
        "the last read end is closed: SIGPIPE kills the writer", 1.8, "one-way", 2, *_script("1:close child read")
    ),
    "epipe": _made(
        "the same with SIGPIPE ignored: the write fails with EPIPE",
        1.8,
        "one-way",
        2,
        *("--set", "sigpipe=ignore"),
        *_script("1:close child read"),
    ),
    "killed": _made("the child killed with SIGKILL", 0.96, "one-way", 1.5, *_script("0.9:kill child")),
    "ended": _made("ten messages, end of file, and everybody ends", 1.4, "one-way", 1.5, "--set", "messages=10"),
    "hostile": _made(
        "a message with escape sequences, Korean, emoji and broken UTF-8 waits in the pipe",
        1.8,
        "one-way",
        2,
        *("--set", "rate=4"),
        *_script("0.5:hold child", f"0.55:inject parent {HOSTILE}"),
    ),
    "steps": _made(
        "both held from the start; the parent stepped through pipe(), fcntl(), fork() and close()",
        2.8,
        "one-way",
        3,
        *("--set", "start=held"),
        *_script("0.5:step parent", "1:step parent", "1.5:step parent", "2:step parent", "2.5:step parent"),
    ),
    "two-way": _made("questions and answers, then the child held", 2.8, "two-way", 3, *_script("2:hold child")),
    "forgotten-end": _made("the child waits for an end of file that never comes", 2.8, "forgotten-end", 3),
    "deadlock": _made("both write more than fits before they read", 2.8, "deadlock", 3),
    "many-writers": _made(
        "two children write into one pipe, ten messages a second each", 2.8, "many-writers", 3, "--set", "rate=10"
    ),
    "torn": _made("two children flat out: messages above PIPE_BUF are torn", 0.28, "many-writers", 0.3),
    "twelve": _made(
        "twelve children, the parent held: all are blocked by one full pipe",
        1.8,
        "many-writers",
        2,
        *("--set", "producers=12", "--set", "rate=2"),
        *_script("0.5:hold parent"),
    ),
    "packets": _made(
        "O_DIRECT: a pipe of four slots is full with four messages of 64 bytes",
        1.8,
        "packets",
        2,
        *_script("0.5:hold child"),
    ),
}
"""Every recording by its name, in the order of the lesson."""


def path(name: str) -> Path:
    """Where a recording is stored."""
    return FOLDER / f"{name}.jsonl.gz"


@cache
def recording(name: str) -> Recording:
    """A stored recording, read once."""
    return read_recording(path(name))


@cache
def state_at(name: str, seconds: float) -> LabState:
    """The state of a recording at a moment."""
    return replayed(recording(name), seconds)


def last_moment(name: str) -> float:
    """How long a recording is, in seconds."""
    return max(record.t for record in recording(name).records if record.kind != "summary") / 1e9


def remake(name: str) -> int:
    """Run the laboratory once more and store what it says; the file's size in bytes."""
    words = [sys.executable, "-m", "ipctui", "run", "pipe", "--headless", *MADE[name].arguments]
    told = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
    # Neither a name nor a time of its own: the same lines make the same file.
    packed = gzip.compress(_without_build(told), 9, mtime=0)
    FOLDER.mkdir(exist_ok=True)
    path(name).write_bytes(packed)
    return len(packed)


def _without_build(told: bytes) -> bytes:
    """The lines with the kernel's version alone: whose build it was is nobody's business."""
    return re.sub(rb'"release":"([0-9]+\.[0-9]+)[^"]*"', rb'"release":"\1"', told, count=1)


def main(words: Sequence[str]) -> int:
    """Remake the recordings named; without a name, tell what there is."""
    names = list(MADE) if "--all" in words else list(words)
    wrong = [name for name in names if name not in MADE]
    if wrong:
        print(f"there is no recording {wrong[0]!r}; there is {', '.join(MADE)}", file=sys.stderr)
        return 2
    for name in names:
        size = remake(name)
        print(f"{name:<14} {size:>7,} bytes{'  TOO LARGE' if size > LARGEST else ''}")
    if not names:
        for name, made in MADE.items():
            print(f"{name:<14} {made.about}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
