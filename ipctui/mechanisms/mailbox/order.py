"""What is in a mailbox, in the order in which it will leave, as the trace tells it; checked against the kernel's count.

The kernel shows how many messages a queue holds and none of them (mq_overview(7)), so the queue drawn is what the
traced calls put in and have not taken out. Where the kernel's count differs, somebody else has sent or received. A
count and the trace are compared only when every call that was under way at the count has had time to return.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ipctui.trace.records import Call, Channel, Lost, Process, Record, State

PATIENCE = 300_000_000
"""Nanoseconds after which a call that was under way when the kernel was asked has returned, or is asleep."""
_AT_ONCE = 5_000_000
_RECENT = 512
_EARLY = 64
_TEXT = re.compile(r'"(.*)"(?:\.\.\.)?, (\d+), \[?(\d+)\]?', re.DOTALL)

Box = dict[str, Any]
"""One mailbox.

items: [priority, id, text, bytes] of each message, the next to leave first. strangers: messages in it that no worker
sent. unseen: messages in it that were sent while calls went by unread. early: ids received before their send was
told. entered, taken: messages that strangers have sent and received so far. gap: calls went by unread; unread: ids
received meanwhile. since: the queue was empty then, and calls that returned before do not count. pending: the last
count of the kernel's that is not checked yet, [t, messages]. recent: [sign, begin, end] of the latest calls.
maker: who made it, by the trace. foreign: [process, text, time] of the last message of a stranger's that a worker got.
deleted: who took its name away, "?" for a stranger.
"""

DELETED = " (deleted)"
"""What /proc/PID/fd puts behind the name of a queue that has none any more; our name for it where another has it."""


def empty() -> Box:
    """A mailbox of which nothing is known."""
    return {
        "items": [],
        "strangers": 0,
        "unseen": 0,
        "early": [],
        "entered": 0,
        "taken": 0,
        "gap": False,
        "unread": [],
        "since": None,
        "pending": None,
        "recent": [],
        "maker": None,
        "foreign": None,
        "deleted": None,
    }


def known(box: Mapping[str, Any]) -> int:
    """How many messages are in it by the trace."""
    return int(len(box["items"]) + box["strangers"] + box["unseen"] - len(box["early"]))


def follow(facts: Mapping[str, Any], records: Sequence[Record]) -> Mapping[str, Any]:
    """The facts with more records added; pure. The same records in other batches make the same facts."""
    following = _Following(facts)
    for record in records:
        if isinstance(record, Call):
            following.call(record)
        elif isinstance(record, Channel):
            following.channel(record)
        elif isinstance(record, State):
            following.state(record)
        elif isinstance(record, Process):
            following.process(record)
        elif isinstance(record, Lost):
            following.lost()
    return following.facts


def place_of(facts: Mapping[str, Any], process: str, object: str | None) -> str | None:
    """The mailbox that a process means by a name: one that lost it to another goes on as `NAME (deleted)`."""
    if object is not None and object in facts.get("old", {}).get(process, ()):
        return object + DELETED
    return object


def got_by_others(facts: Mapping[str, Any], process: str) -> int:
    """How many messages all but this process have received."""
    return sum(int(count) for role, count in facts.get("got", {}).items() if role != process)


class _Following:
    """Facts thawed for the length of one batch."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.facts = facts
        self._thawed = False

    def _boxes(self) -> dict[str, Box]:
        self._thaw()
        boxes: dict[str, Box] = self.facts["mailboxes"]
        return boxes

    def _thaw(self) -> None:
        if not self._thawed:
            self._thawed = True
            self.facts = {
                **self.facts,
                "mailboxes": copy.deepcopy(dict(self.facts.get("mailboxes", {}))),
                "stopped": dict(self.facts.get("stopped", {})),
                "got": dict(self.facts.get("got", {})),
                "waits": dict(self.facts.get("waits", {})),
                "open": {role: list(places) for role, places in self.facts.get("open", {}).items()},
                "old": {role: list(places) for role, places in self.facts.get("old", {}).items()},
            }

    def call(self, record: Call) -> None:
        if record.object is None or record.result is None or record.result < 0:
            return
        place = place_of(self.facts, record.process, record.object) or record.object
        if record.name == "mq_open":
            self._open(record)
        elif record.name == "mq_close":
            self._close(record.process, record.object)
        elif record.name == "mq_unlink":
            self._boxes().setdefault(record.object, empty())["deleted"] = record.process
        elif record.name == "mq_send":
            box = self._boxes().setdefault(place, empty())
            if box["since"] is None or record.end > box["since"]:
                _remember(box, 1, record)
                _sent(box, record)
        elif record.name == "mq_receive":
            box = self._boxes().setdefault(place, empty())
            if box["since"] is None or record.end > box["since"]:
                _remember(box, -1, record)
                _received(box, record)
            got = self.facts["got"]
            got[record.process] = got.get(record.process, 0) + 1

    def _open(self, record: Call) -> None:
        assert record.object is not None
        boxes, place = self._boxes(), record.object
        if place in boxes and boxes[place]["deleted"] is not None:
            # The name was free: this is another mailbox, and who has the old one open keeps that.
            keepers = [
                role for role, places in self.facts["open"].items() if place in places and role != record.process
            ]
            if keepers:
                boxes[place + DELETED] = boxes[place]
            for role in keepers:
                self.facts["old"].setdefault(role, []).append(place)
            boxes[place] = empty()
        box = boxes.setdefault(place, empty())
        if box["maker"] is None and "O_CREAT" in record.args:
            box["maker"] = record.process
        opened = self.facts["open"].setdefault(record.process, [])
        if place not in opened:
            opened.append(place)

    def _close(self, role: str, place: str) -> None:
        self._thaw()
        for held in (self.facts["open"].get(role, []), self.facts["old"].get(role, [])):
            if place in held:
                held.remove(place)

    def process(self, record: Process) -> None:
        """What a process has open is closed when it ends."""
        if record.event == "exited" and record.process in self.facts.get("open", {}):
            self._thaw()
            self.facts["open"].pop(record.process)
            self.facts["old"].pop(record.process, None)

    def state(self, record: State) -> None:
        """Remember who is stopped inside a call: the kernel may have finished it, and it returns only later.

        Besides, since when each that sleeps in mq_receive does, and how many messages others had received by then.
        """
        if record.state == "blocked" and record.before is not None and record.before.name == "mq_receive":
            self._waits(record)
        stopped = self.facts.get("stopped", {})
        inside = None
        if record.state == "stopped" and record.before is not None and record.before.name in ("mq_send", "mq_receive"):
            inside = [place_of(self.facts, record.process, record.object), record.before.name]
        if inside != stopped.get(record.process):
            self._thaw()
            if inside is None:
                self.facts["stopped"].pop(record.process, None)
            else:
                self.facts["stopped"][record.process] = inside

    def _waits(self, record: State) -> None:
        since, name = record.since, record.process
        if since is None or self.facts.get("waits", {}).get(name, (None,))[0] == since:
            return
        place = place_of(self.facts, name, record.object) or ""
        recent = self._boxes().get(place, empty())["recent"]
        # That it sleeps is told a little later than it fell asleep.
        later = sum(1 for sign, _, end in recent if sign < 0 and end > since)
        self.facts["waits"][name] = [since, got_by_others(self.facts, name) - later]

    def lost(self) -> None:
        for box in self._boxes().values():
            box.update(items=[], early=[], strangers=0, unseen=0, gap=True)

    def channel(self, record: Channel) -> None:
        if record.type != "mqueue":
            return
        boxes = self._boxes()
        if record.closed:
            boxes.pop(record.object, None)
            return
        if record.used is None:
            return
        box = boxes.setdefault(record.object, empty())
        if record.facts.get("unlinked") and box["deleted"] is None:
            box["deleted"] = "?"
        pending = box["pending"]
        inside = [name for place, name in self.facts["stopped"].values() if place == record.object]
        if pending is not None and record.t - pending[0] >= PATIENCE:
            _check(box, pending[0], pending[1], inside)
            pending = None
        if record.facts.get("quiet"):
            _check(box, record.t, record.used, inside)  # at rest so long that every call has been told
        if box["gap"]:
            _bridge(box, record)
        if pending is None:
            box["pending"] = [record.t, record.used]


def parse(args: str) -> tuple[str, int, int]:
    """The text, the size asked for and the priority in the arguments of a send or receive as strace prints them."""
    found = _TEXT.search(args)
    return (found[1], int(found[2]), int(found[3])) if found else ("", 0, 0)


def _remember(box: Box, sign: int, record: Call) -> None:
    box["recent"].append([sign, record.begin, record.end])
    del box["recent"][:-_RECENT]


def _sent(box: Box, record: Call) -> None:
    text, size, priority = parse(record.args)
    name = record.message[0] if record.message else None
    for received in (box["early"], box["unread"]):
        if name is not None and name in received:
            received.remove(name)
            return
    items = box["items"]
    place = next((index for index, item in enumerate(items) if item[0] < priority), len(items))
    items.insert(place, [priority, name, text, size])


def _received(box: Box, record: Call) -> None:
    text = parse(record.args)[0]
    name = record.message[0] if record.message else None
    items = box["items"]
    place = next((index for index, item in enumerate(items) if name is not None and item[1] == name), None)
    if box["gap"] and name is not None and place is None:
        box["unread"] = [*box["unread"], name][-_EARLY:]
    elif place is not None:
        del items[place]
    elif box["gap"] or not _TEXT.search(record.args):
        del items[: 0 if box["gap"] else 1]  # what a call does not tell cannot be a stranger's by its looks
    elif name is None or box["strangers"]:
        box["foreign"] = [record.process, text, record.end]
        if box["strangers"]:
            box["strangers"] -= 1
        else:
            box["entered"] += 1
    elif box["unseen"]:
        box["unseen"] -= 1
    else:
        box["early"] = [*box["early"], name][-_EARLY:]


def _check(box: Box, t: int, used: int, stopped: Sequence[str]) -> None:
    """Hold the kernel's count at `t` against what the trace says was in it then."""
    if box["gap"] or (len(box["recent"]) == _RECENT and box["recent"][0][2] > t):
        return
    later = [(sign, begin) for sign, begin, end in box["recent"] if end > t]
    then = known(box) - sum(sign for sign, _ in later)
    under_way = [sign for sign, begin in later if begin <= t + _AT_ONCE]
    most = then + under_way.count(1) + stopped.count("mq_send")
    least = then - under_way.count(-1) - stopped.count("mq_receive")
    if used > most:
        _entered(box, used - most)
    elif used < least:
        _taken(box, least - used)


def _entered(box: Box, count: int) -> None:
    box["entered"] += count
    # A message that a worker has received and none has sent was a stranger's.
    handed_over = min(count, len(box["early"]))
    del box["early"][:handed_over]
    box["strangers"] += count - handed_over


def _taken(box: Box, count: int) -> None:
    box["taken"] += count
    own = min(count, len(box["items"]))
    del box["items"][:own]
    for place in ("strangers", "unseen"):
        rest = min(count - own, box[place])
        box[place] -= rest
        own += rest


def _bridge(box: Box, record: Channel) -> None:
    """Find firm ground after calls went by unread: an empty queue, or one at rest."""
    assert record.used is not None
    if not record.used:
        box.update(items=[], gap=False, pending=None, since=record.t)
    elif record.facts.get("quiet"):
        box["items"] = box["items"][-record.used :]
        box.update(unseen=record.used - len(box["items"]), gap=False, pending=None)
