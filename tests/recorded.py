"""The recordings in `recordings/`, read back and made again (tests.made says how).

`python -m tests.recorded NAME…` remakes those named (all with `--all`), `python -m tests.recorded` lists them. A
recording is a real run, so a remade one has other process numbers and times: look at the snapshots afterwards.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ipctui.cli.picture import replayed
from ipctui.lab.state import LabState
from ipctui.trace.recording import Recording, read_recording
from tests.made import MADE

FOLDER = Path(__file__).parent / "recordings"
LARGEST = 60_000
"""Bytes that a stored recording may have: they travel with every clone."""


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
    made = MADE[name]
    words = [sys.executable, "-m", "ipctui", "run", made.mechanism, "--headless", *made.arguments]
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
        print(f"{name:<24} {size:>7,} bytes{'  TOO LARGE' if size > LARGEST else ''}")
    if not names:
        for name, made in MADE.items():
            print(f"{name:<24} {made.about}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
