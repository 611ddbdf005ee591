"""Standard output that may be slow or close early: a thread writes, so that it never stalls the laboratory."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable
from typing import TypeGuard

from ipctui.lab.recorder import NOT_WRITTEN, completed
from ipctui.trace.recording import line_of
from ipctui.trace.records import Access, Call, Header, Lost, Record

_MOST_WAITING = 16 << 20


def _may_be_dropped(record: Record) -> TypeGuard[Call | Access]:
    # A call in flight at the end belongs to the summary.
    return isinstance(record, Access) or (isinstance(record, Call) and record.result is not None)


class Output:
    """Lines on their way to a descriptor; while too much waits, calls are dropped and counted, and nothing else."""

    def __init__(self, fd: int = 1) -> None:
        self._fd = fd
        self._ready = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ending = False
        self._dropped: dict[tuple[str, str | None], int] = {}
        self._lost = 0
        self.closed = False
        self._thread = threading.Thread(target=self._write, name="output", daemon=True)
        self._thread.start()

    def records(self, records: Iterable[Record]) -> bool:
        """Queue records as JSON lines; False once nobody reads."""
        parts: list[str] = []
        for record in records:
            if self._size > _MOST_WAITING and _may_be_dropped(record):
                place = (record.process, record.cell)
                self._dropped[place] = self._dropped.get(place, 0) + 1
                continue
            if self._dropped and not isinstance(record, Header):
                lost = [Lost(record.t, count, NOT_WRITTEN, *place) for place, count in self._dropped.items()]
                parts += map(line_of, lost)
                self._lost += sum(self._dropped.values())
                self._dropped = {}
            parts.append(line_of(completed(record, self._lost)))
        return self.text("".join(parts))

    def text(self, text: str) -> bool:
        """Queue text; False once nobody reads."""
        if text and not self.closed:
            raw = text.encode("utf-8", "replace")
            with self._ready:
                self._waiting.append(raw)
                self._size += len(raw)
                self._ready.notify()
        return not self.closed

    def finish(self) -> None:
        """Wait until everything is written."""
        with self._ready:
            self._ending = True
            self._ready.notify()
        self._thread.join()

    def _write(self) -> None:
        while True:
            with self._ready:
                while not self._waiting and not self._ending:
                    self._ready.wait()
                if not self._waiting:
                    return
                raw = self._waiting.popleft()
            view = memoryview(raw)
            try:
                while view:
                    view = view[os.write(self._fd, view) :]
            except OSError:
                self.closed = True
                return
            with self._ready:
                self._size -= len(raw)
