"""A running laboratory with a memory: beside what a Lab does, its history, its marks, and its recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.channel import Channel
from ipctui.lab.history import History
from ipctui.lab.recorder import LIMIT, Recorder
from ipctui.lab.session import Lab
from ipctui.lab.state import LabState
from ipctui.lab.timeline import Cursor
from ipctui.trace.records import Event, Record


class Live:
    """A laboratory as the screen has it.

    Args:
        lab: Begun, and not ticked yet.
        record: A file to record to from the beginning.
        limit: Bytes that a recording has at most.

    Raises:
        RecorderError: the file cannot be recorded to.
    """

    can = frozenset({"command", "seek", "record"})

    def __init__(self, lab: Lab, record: Path | None = None, limit: int = LIMIT) -> None:
        self.lab = lab
        self.timeline = History(lambda: lab.state, lab.channel.reduce)
        self.recorder: Recorder | None = None
        self._limit = limit
        self._said = ""
        self._closed = False
        if record is not None:
            self.recorder = Recorder(record, lab.channel, lambda: lab.state, limit=limit)
            lab.listeners.append(self.recorder.take)
        lab.listeners.append(self.timeline.take)

    @property
    def state(self) -> LabState:
        """The latest folded state."""
        return self.lab.state

    @property
    def channel(self) -> Channel:
        """The mechanism."""
        return self.lab.channel

    @property
    def variant(self) -> str:
        """The variant's name."""
        return self.lab.variant

    @property
    def values(self) -> Mapping[str, Any]:
        """The parameters' values."""
        return self.lab.values

    @property
    def alive(self) -> bool:
        """False once nothing more will come."""
        return self.lab.alive

    @property
    def problem(self) -> str:
        """Why it is not alive."""
        return self.lab.problem

    @property
    def recording(self) -> bool:
        """Whether it is being recorded."""
        return self.recorder is not None and self.recorder.active

    @property
    def listeners(self) -> list[Callable[[Sequence[Record]], None]]:
        """Who is told of every batch."""
        return self.lab.listeners

    def now(self) -> int:
        """Nanoseconds since the clock's zero."""
        return self.lab.now()

    def tick(self) -> bool:
        """Take in what is new; True when the state changed."""
        return self.lab.tick()

    def command(self, text: str, by: str) -> None:
        """Carry out a command; what came of it appears in the state."""
        self.lab.command(text, by)

    def restart(self, variant: str | None = None, held: bool | None = None) -> None:
        """Begin anew, with another variant if one is named."""
        self.lab.restart(variant, held)

    def cursor(self) -> Cursor:
        """A place in the past to look at, to begin with this moment."""
        cursor = Cursor(self.timeline)
        cursor.end()
        return cursor

    def mark(self, text: str = "") -> None:
        """Mark this moment: in the history, and in the recording."""
        self.lab.tell(Event(self.now(), "mark", None, {"text": text} if text else {}))

    def record(self, path: Path) -> None:
        """Record from this moment on.

        Raises:
            RecorderError: the file cannot be recorded to.
        """
        self.stop_recording()
        # What was folded already and is told later must not be recorded after a checkpoint that has it.
        self.lab.batch()
        self.recorder = Recorder(path, self.channel, lambda: self.lab.state, midway=True, limit=self._limit)
        self.lab.listeners.append(self.recorder.take)

    def stop_recording(self) -> Path | None:
        """End the recording with its summary; the file's path, None when there was none."""
        recorder, self.recorder = self.recorder, None
        if recorder is None:
            return None
        self.lab.listeners.remove(recorder.take)
        recorder.end()
        return recorder.path

    def complaint(self) -> str:
        """Why the recording has ended by itself, said once; "" when there is nothing to say."""
        problem = self.recorder.problem if self.recorder is not None else ""
        if problem == self._said:
            return ""
        self._said = problem
        return problem

    def close(self) -> None:
        """Sum up what is recorded, end all workers and give everything back; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        if self.recording:
            self.lab.finish()
        self.lab.close()
