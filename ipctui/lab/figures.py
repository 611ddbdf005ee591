"""Figures: each worker's exact counts and its settings, told when they differ from what was told last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ipctui.lab.collect import Collector
from ipctui.lab.handle import Handle
from ipctui.trace.records import Counters, Record, Settings
from ipctui.trace.ring import W_NONBLOCKING

_EVERY = 250_000_000
_AT_LEAST_EVERY = 1_000_000_000


class Figures:
    """What was told last of every worker's counts and settings."""

    def __init__(self) -> None:
        self._at = -_EVERY
        self._counters: dict[str, Counters] = {}
        self._settings: dict[str, Settings] = {}

    def forget(self, name: str) -> None:
        """Another process has taken this place."""
        self._counters.pop(name, None)
        self._settings.pop(name, None)

    def forget_counters(self) -> None:
        """Tell all counts again, whether they differ or not."""
        self._counters.clear()

    def due(self, handles: Sequence[Handle], collector: Collector, t: int) -> list[Record]:
        """The counts that differ, four times a second; once a second even those that do not."""
        if t - self._at < _EVERY:
            return []
        self._at = t
        return self.counters(handles, collector, t)

    def counters(self, handles: Sequence[Handle], collector: Collector, t: int) -> list[Record]:
        """The counts that differ, now."""
        records: list[Record] = []
        for handle in handles:
            if not handle.pid:
                continue
            cpu = None
            if handle.probe is not None and handle.alive:
                sample = handle.probe.sample()
                cpu = sample.user_ns + sample.system_ns
            counters = collector.counters(handle, t, cpu)
            before = self._counters.get(handle.name)
            if before is None or t - before.t >= _AT_LEAST_EVERY or _sums(before) != _sums(counters):
                self._counters[handle.name] = counters
                records.append(counters)
        return records

    def settings(self, handles: Sequence[Handle], t: int) -> list[Record]:
        """The settings that differ."""
        records: list[Record] = []
        for handle in handles:
            if not handle.pid:
                continue
            mode = bool(handle.ring.words[W_NONBLOCKING])
            settings = Settings(0, handle.role, handle.held, handle.rate, handle.size, handle.cell, mode)
            if settings != self._settings.get(handle.name):
                self._settings[handle.name] = settings
                records.append(replace(settings, t=t))
        return records


def _sums(counters: Counters) -> tuple[Any, ...]:
    return counters.calls, counters.sent, counters.received, counters.work, counters.offered, counters.refused
