"""Fitting: a file's records folded as they are read; of each that does not fit the others a line says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any

from ipctui.lab.channel import Channel
from ipctui.lab.fold import fold
from ipctui.lab.parameters import printable
from ipctui.lab.state import LabState
from ipctui.lab.state_json import state_from_json
from ipctui.lab.survey import time_of
from ipctui.lab.timeline import folded
from ipctui.trace.lines import Line
from ipctui.trace.record_json import RecordError
from ipctui.trace.recording import RecordingFile
from ipctui.trace.records import Checkpoint, Event, Header, Record, Summary

_AT_ONCE = 2048
"""Records that are folded at once."""
_UNFIT = "it does not fit what the lines before it say"


class Fitting:
    """Folds the records of a file; a record that does not fit is left out, and the file's problems name its line.

    Args:
        proof: Tried on every state made; a record after which it raises does not fit.
    """

    def __init__(
        self, file: RecordingFile, channel: Channel, proof: Callable[[LabState], object] | None = None
    ) -> None:
        self._file = file
        self._reduce = channel.reduce
        self._proof = proof

    def fold(self, state: LabState, records: Sequence[Record], numbers: Sequence[int]) -> LabState:
        """The state after records that stand in the lines of these numbers."""
        for number, record in zip(numbers, records, strict=True):
            if isinstance(record, Checkpoint):
                self._look_at(number, record)
        after = self._after(state, records)
        if after is not None:
            return after
        # Whatever is wrong with one record must not take the others with it.
        for number, record in zip(numbers, records, strict=True):
            after = self._after(state, (record,))
            state = after if after is not None else self._without(state, record, number)
        return state

    def _without(self, state: LabState, record: Record, number: int) -> LabState:
        """The state without a record that does not fit, told; of a checkpoint without the part that does not."""
        kind = f"event {printable(record.name)!r}" if isinstance(record, Event) else record.kind
        for name, changed in _without_one(record):
            after = self._after(state, (changed,))
            if after is not None:
                self._file.skip(number, f"{kind}: {printable(name)}: {_UNFIT}")
                return after if isinstance(record, Checkpoint) else state
        self._file.skip(number, f"{kind}: {_UNFIT}")
        return state

    def _look_at(self, number: int, record: Checkpoint) -> None:
        """Tell what is wrong with a checkpoint: folding counts one that cannot be read, and does not say why."""
        try:
            state_from_json(record.state)
        except RecordError as error:
            self._file.skip(number, str(error))
        except RecursionError:
            self._file.skip(number, "checkpoint: its parts are nested too deep")

    def _after(self, state: LabState, records: Sequence[Record]) -> LabState | None:
        try:
            after = fold(state, records, self._reduce)
            if self._proof is not None:
                self._proof(after)
        except Exception:
            return None
        return after


def of_one_session(file: RecordingFile) -> Iterator[tuple[Line, Record]]:
    """The records of a file with their lines, to where another session begins, which is told.

    Raises:
        RecordingError: the disk fails.
    """
    for line, record in file.records():
        if isinstance(record, Header):
            file.problems.append(f"{file.path}:{line.number}: another session begins here; it was left out")
            return
        yield line, record


def fitted(
    file: RecordingFile,
    channel: Channel,
    proof: Callable[[LabState], object] | None = None,
    until: int | None = None,
) -> LabState:
    """The state after all records of a file that fit, but the summary.

    Args:
        proof: As for `Fitting`.
        until: Records of a later time are left out; nanoseconds since the clock's zero.

    Raises:
        RecordingError: the disk fails.
    """
    fitting = Fitting(file, channel, proof)
    state, _ = folded(LabState(), (file.header,), channel.reduce)
    records: list[Record] = []
    numbers: list[int] = []
    for line, record in of_one_session(file):
        if isinstance(record, Summary) or (until is not None and time_of(record) > until):
            continue
        records.append(record)
        numbers.append(line.number)
        if len(records) >= _AT_ONCE:
            state = fitting.fold(state, records, numbers)
            records, numbers = [], []
    return fitting.fold(state, records, numbers)


def _without_one(record: Record) -> Iterator[tuple[str, Record]]:
    """The record without one value of those that its objects hold, and without one of its fields."""
    if isinstance(record, Checkpoint):
        facts = record.state.get("facts")
        for name, rest in _rests(facts) if isinstance(facts, dict) else ():
            yield f"facts: {name}", replace(record, state={**record.state, "facts": rest})
    for item in fields(record):
        value = getattr(record, item.name)
        for name, rest in _rests(value) if isinstance(value, dict) else ():
            changed: dict[str, Any] = {item.name: rest}
            yield f"{item.name}: {name}", replace(record, **changed)
        if item.default is not MISSING:
            yield item.name, replace(record, **{item.name: item.default})
        elif item.default_factory is not MISSING:
            yield item.name, replace(record, **{item.name: item.default_factory()})


def _rests(whole: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each name of an object, and the object without it."""
    for name in whole:
        yield name, {own: value for own, value in whole.items() if own != name}
