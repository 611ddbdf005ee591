"""A recording as a Chrome trace in JSON, which ui.perfetto.dev and trace_processor open.

The format is "Trace Event Format" (Nduca and Sinclair, 2016); what trace_processor makes of it is in its
src/trace_processor/importers/json. Times are microseconds from the earliest record on: negative ones are dropped.
Slices have the category `call` (one a call), `access`, or `state`; arrows have `message`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from json.encoder import encode_basestring
from typing import IO, Any

from ipctui.export.commands import MARK, Orders, mark_text
from ipctui.export.ends import Arrow
from ipctui.export.messages import Pairing
from ipctui.export.reading import Item, Source
from ipctui.export.spans import Span, Spans
from ipctui.export.strace import call_text, shown
from ipctui.export.tracks import Lane, Numbers, Track, lane_for
from ipctui.export.words import word
from ipctui.lab.fold import key
from ipctui.lab.told import TELLS
from ipctui.trace.records import Access, Channel, Command, Counters, Event, Header, Lost, Process, State
from ipctui.trace.text import visible

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_perfetto(source: Source, out: IO[str], language: str = "en") -> Mapping[str, Any]:
    """Write a recording's trace; returns what the trace says of itself (`Trace.finish`)."""
    trace = Trace(out, source.header, -source.earliest(), language)
    for item in source.items():
        trace.add(item)
    return trace.finish()


class Trace:
    """A trace as it is written, record by record.

    Args:
        shift: Nanoseconds added to every time, so that none is negative.
        language: Of what words there are besides names: en or ko.
    """

    def __init__(self, out: IO[str], header: Header, shift: int, language: str = "en") -> None:
        self._write = out.write
        self._header = header
        self._shift = shift
        self._language = language
        self._separator = '{"traceEvents":[\n'
        self._numbers = Numbers()
        self._tracks: dict[tuple[str, int], Track] = {}
        self._own: dict[str, int] = {}
        self._pairing: Pairing[tuple[int, int]] = Pairing()
        self._counters: dict[tuple[str, int], int] = {}
        self._lost: dict[str, int] = {}
        self._series: dict[str, list[tuple[str, str]]] = {}
        self._orders = Orders()
        self._end = 0
        self._returned = 0
        self.calls = self.accesses = self.arrows = self.left_out = 0

    def add(self, item: Item) -> None:
        """Write what a record tells; those that a trace has no place for are passed over."""
        if isinstance(item, dict):
            self._call(item)
            return
        match item:
            case Access():
                self._access(item)
            case State():
                self._state(item)
            case Process():
                self._process(item)
            case Channel():
                self._channel(item)
            case Counters():
                row = (key(item.process, item.cell), item.pid)
                self._counters[row] = sum(count.calls for count in item.calls if count.name not in TELLS)
            case Command():
                self._command(item)
            case Event():
                self._event(item)
            case Lost():
                self._lost[item.why] = self._lost.get(item.why, 0) + item.count

    def finish(self) -> dict[str, Any]:
        """End what is open; what the trace says of itself, its counts and what is missing among it."""
        for arrow in self._pairing.settle():
            self._arrow(arrow)
        for track in self._tracks.values():
            for span in track.spans.close(self._end):
                self._span(track, span)
        counted = sum(self._counters.values())
        told = {
            "format": f"ipctui {self._header.version}",
            "mechanism": visible(self._header.mechanism),
            "variant": visible(self._header.variant),
            "started": visible(self._header.started),
            "zero_us": self._us(0),
            "calls": self.calls,
            "accesses": self.accesses,
            "messages": self.arrows,
            "messages_without_receipt": len(self._pairing.sent()),
            "arrows_left_out": self._pairing.given_up,
            "slices_left_out": self.left_out,
            "calls_not_in_the_recording": max(0, counted - self._returned - self.accesses),
            "lost": {visible(why): count for why, count in self._lost.items()},
        }
        opening = "" if self._separator == ",\n" else self._separator
        self._write(f'{opening}\n],\n"otherData":{_ENCODE(told)}}}\n')
        return told

    # Slices.

    def _call(self, call: Mapping[str, Any]) -> None:
        track = self._track(key(call["process"], call.get("cell")), call["pid"])
        begin, end, result = call["begin"], max(call["begin"], call["end"]), call["result"]
        self._end = max(self._end, end)
        if result is not None:
            self._returned += 1
            for span in track.spans.returned(begin, end):
                self._span(track, span)
        tid = self._lane(track, call.get("tid") or call["pid"], begin, end)
        if tid is None:
            return
        self.calls += 1
        get = call.get
        args = f'"call":{encode_basestring(call_text(call))},"result":{"null" if result is None else result}' + _fixed(
            call["syscall"], get("errno"), get("object"), get("fd"), get("line")
        )
        if (offset := get("offset")) is not None:
            args += f',"offset":{offset}'
        if messages := get("message"):
            args += f',"message":{_quoted(" ".join(messages))}'
        if get("source", "traced") != "traced":
            args += f',"source":{_often(call["source"])}'
        self._slice(call["name"], "call", begin, end, track.pid, tid, args)
        for arrow in self._pairing.add(call, (track.pid, tid)):
            self._arrow(arrow)

    def _access(self, access: Access) -> None:
        track = self._track(key(access.process, access.cell), access.pid)
        begin, end = access.begin, max(access.begin, access.end)
        self._end = max(self._end, end)
        tid = self._lane(track, access.pid, begin, end)
        if tid is None:
            return
        self.accesses += 1
        told = {
            "object": access.object,
            "offset": access.offset,
            "value": access.value,
            "line": access.line,
            "text": access.text,
            "message": " ".join(access.message) or None,
        }
        self._slice(access.name, "access", begin, end, track.pid, tid, _arguments(told))
        for arrow in self._pairing.add_access(access, (track.pid, tid)):
            self._arrow(arrow)

    def _slice(self, name: str, category: str, begin: int, end: int, pid: int, tid: int, args: str) -> None:
        self._put(
            f'{{"name":{_often(name)},"cat":"{category}","ph":"X","ts":{self._us(begin)},'
            f'"dur":{_microseconds(end - begin)},"pid":{pid},"tid":{tid},"args":{{{args}}}}}'
        )

    def _arrow(self, arrow: Arrow[tuple[int, int]]) -> None:
        self.arrows += 1
        send, receipt = arrow.send, arrow.receipt
        same = f'{{"name":{_quoted(arrow.message)},"cat":"message","id":{self.arrows}'
        self._put(f'{same},"ph":"s","ts":{self._us(send.begin)},"pid":{send.place[0]},"tid":{send.place[1]}}}')
        # Without "bp" an arrow would end at the slice that begins next.
        where = f'"ts":{self._us(receipt.last)},"pid":{receipt.place[0]},"tid":{receipt.place[1]}'
        self._put(f'{same},"ph":"f","bp":"e",{where}}}')

    # States.

    def _state(self, state: State) -> None:
        self._end = max(self._end, state.t)
        track = self._track(key(state.process, state.cell), state.pid)
        for span in track.spans.add(state):
            self._span(track, span)

    def _span(self, track: Track, span: Span) -> None:
        state, before = span.state, span.state.before
        name = word(self._language, state.state)
        if before is not None:
            name += f": {before.name}({'' if before.fd is None else before.fd})"
        told = {
            "state": state.state,
            "reason": state.reason,
            "waker": state.waker,
            "wchan": state.wchan,
            "object": state.object,
            "call": None if before is None else f"{before.name}({before.args}",
            "line": None if before is None else before.line,
            "pending": state.pending,
        }
        self._slice(name, "state", span.begin, span.end, track.pid, track.state_tid, _arguments(told))

    # Instants and counters.

    def _process(self, record: Process) -> None:
        if record.event not in ("started", "exited"):
            return
        self._end = max(self._end, record.t)
        track = self._track(key(record.process, record.cell), record.pid)
        if record.event == "exited":
            for span in track.spans.exited(record.t):
                self._span(track, span)
            status = record.status or word(self._language, "exited")
            self._instant(status, "process", record.t, f'"p","pid":{track.pid},"tid":{track.pid}', "")

    def _channel(self, record: Channel) -> None:
        self._end = max(self._end, record.t)
        pid = self._owned("channels")
        if record.closed:
            for name, unit in self._series.pop(record.object, ()):
                self._counter(pid, name, unit, record.t, 0)
            gone = f"{record.object} {word(self._language, 'gone')}"
            self._instant(gone, "channel", record.t, f'"p","pid":{pid},"tid":{pid}', "")
            return
        series = [(record.object, word(self._language, record.unit or "value"), record.used)]
        taken = f"{record.object}, {word(self._language, 'slots taken')}"
        series.append((taken, word(self._language, "slots"), record.slots_used))
        for name, unit, value in series:
            if value is not None:
                known = self._series.setdefault(record.object, [])
                if (name, unit) not in known:
                    known.append((name, unit))
                self._counter(pid, name, unit, record.t, value)

    def _counter(self, pid: int, name: str, unit: str, t: int, value: int) -> None:
        self._put(
            f'{{"name":{_quoted(name)},"ph":"C","ts":{self._us(t)},"pid":{pid},"tid":{pid},'
            f'"args":{{{_quoted(unit)}:{value}}}}}'
        )

    def _command(self, record: Command) -> None:
        new = self._orders.is_new(record)
        pid = self._owned("you")
        args = _arguments({"by": record.by, "outcome": record.outcome})
        name = record.command if new else f"{record.command}: {record.outcome}"
        self._instant(name, "command" if new else "outcome", record.t, f'"t","pid":{pid},"tid":{pid}', args)

    def _event(self, record: Event) -> None:
        scope = '"g"'
        if record.process is not None and record.name != MARK:
            tracks = [track for (role, _), track in self._tracks.items() if role == key(record.process, record.cell)]
            if tracks:
                scope = f'"p","pid":{tracks[-1].pid},"tid":{tracks[-1].pid}'
        category = MARK if record.name == MARK else "event"
        name = mark_text(record) if record.name == MARK else record.name
        self._instant(name, category, record.t, scope, _arguments(record.data))

    def _instant(self, name: str, category: str, t: int, scope: str, args: str) -> None:
        self._put(
            f'{{"name":{_quoted(name)},"cat":"{category}","ph":"i","ts":{self._us(t)},"s":{scope},"args":{{{args}}}}}'
        )

    # Tracks.

    def _track(self, role: str, pid: int) -> Track:
        track = self._tracks.get((role, pid))
        if track is None:
            number = self._numbers.real(pid)
            track = self._tracks[role, pid] = Track(number, self._numbers.new(), Spans(-self._shift))
            self._name("process", number, number, role if number == pid else f"{role} (pid {pid})", len(self._tracks))
            self._name("thread", number, track.state_tid, word(self._language, "state"), 2)
        return track

    def _owned(self, name: str) -> int:
        """The process that stands for what is none: the channels, the user."""
        pid = self._own.get(name)
        if pid is None:
            pid = self._own[name] = self._numbers.new()
            # Below all processes; these are counted from 1.
            self._name("process", pid, pid, word(self._language, name), 1_000_000 + len(self._own))
        return pid

    def _lane(self, track: Track, tid: int, begin: int, end: int) -> int | None:
        lanes = track.lanes.get(tid)
        if lanes is None:
            lanes = track.lanes[tid] = []
        lane = lane_for(lanes, begin, end) if begin >= -self._shift else None
        if isinstance(lane, Lane):
            return lane.tid
        if lane is None:
            self.left_out += 1  # told in otherData
            return None
        number = track.pid if not track.lanes[tid] and len(track.lanes) == 1 else self._numbers.real(tid)
        lanes.append(Lane(number, max(end, begin + 1)))
        name = word(self._language, "calls")
        self._name("thread", track.pid, number, name if lane == 0 else f"{name} {lane + 1}", 1)
        return number

    def _name(self, what: str, pid: int, tid: int, name: str, order: int) -> None:
        where = f'"ph":"M","pid":{pid},"tid":{tid}'
        self._put(f'{{"name":"{what}_name",{where},"args":{{"name":{_quoted(name)}}}}}')
        self._put(f'{{"name":"{what}_sort_index",{where},"args":{{"sort_index":{order}}}}}')

    def _put(self, event: str) -> None:
        self._write(self._separator + event)
        self._separator = ",\n"

    def _us(self, t: int) -> str:
        return _microseconds(max(0, t + self._shift))


def _microseconds(nanoseconds: int) -> str:
    """Microseconds as a JSON number that trace_processor reads back to the nanosecond.

    It multiplies a double by 1000 and cuts the fraction off (CoerceToTs in json_utils.h), which turns 1.001 into
    1000: where that would happen, half a nanosecond more is written.
    """
    microseconds = nanoseconds / 1000
    if int(microseconds * 1000.0) == nanoseconds:
        return repr(microseconds)
    return f"{nanoseconds // 1000}.{nanoseconds % 1000:03d}5"


def _quoted(text: str) -> str:
    """Text as a JSON string that every reader takes: no control characters, no half of a surrogate pair."""
    return encode_basestring(shown(text))


_often = lru_cache(1024)(_quoted)
"""The same for texts that come again and again."""


@lru_cache(4096)
def _fixed(syscall: str | None, errno: str | None, place: str | None, fd: int | None, line: int | None) -> str:
    """What is the same for many calls of a call's `args`."""
    told = {"syscall": syscall, "errno": errno, "object": place, "fd": fd, "line": line}
    inside = _arguments(told)
    return f",{inside}" if inside else ""


def _arguments(told: Mapping[str, Any]) -> str:
    """The inside of an event's `args`; what is None is left out, what is nested becomes text."""
    return ",".join(f"{_quoted(name)}:{_plain(value)}" for name, value in told.items() if value is not None)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 1 << 63):
        return json.dumps(value)
    return _quoted(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
