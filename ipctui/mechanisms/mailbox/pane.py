"""The mailbox's pane: each queue across the whole width, its messages in leaving order, who waits at either end."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.channel import POLICIES
from ipctui.mechanisms.mailbox.order import empty
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span
from ipctui.widgets.queue import Letter, Mailbox, fill_line, message_lines, queue_lines
from ipctui.widgets.stage import Box, Stage, living
from ipctui.widgets.view import Offer, View
from ipctui.widgets.waiting import Waiter, waiters

_KOREAN = {
    "made by": "만든 이",
    "joined": "이미 있던 것",
    "name deleted": "이름 삭제됨",
    "notifies": "알림 대상",
    "policy": "정책",
    "system": "시스템이 고름",
    "one-at-a-time": "한 번에 한 수신자",
    "two-processes": "두 프로세스까지",
    "nobody has it open": "연 프로세스 없음",
    "sender": "송신",
    "senders": "송신",
    "receiver": "수신",
    "receivers": "수신",
}
_ENGLISH = {
    "one-at-a-time": "one receiver at a time",
    "two-processes": "two processes at most",
    "system": "the system's choice",
}
_FILLED = re.compile(r"([a-z]{1,16}[0-9]{0,6}:[0-9]{1,19}) (.*?)(?:\\n|␊)?", re.DOTALL)


def _word(language: str, text: str) -> str:
    return _KOREAN.get(text, text) if language == "ko" else _ENGLISH.get(text, text)


def boxes(state: LabState, view: View) -> list[Box]:
    """The mailbox; where there are several, all of them in one box."""
    channels = living(state)
    if len(channels) < 2:
        return [_box(state, view, channel) for channel in channels]
    ordered = sorted(channels, key=lambda channel: channel.object)
    title: list[Span] = [(ordered[0].object, "title")]
    return [Box(title, partial(_several, state, view, ordered), partial(_all_contents, state, view, ordered), wish=6)]


def _several(state: LabState, view: View, channels: Sequence[Channel], width: int, height: int) -> Sequence[Line]:
    """Each mailbox in as many lines as there are for it: who waits, then what is next."""
    first = channels[0].object
    label = max(len(_tail(channel, first)) for channel in channels)
    share = max(1, height // len(channels))
    lines: list[Line] = []
    for channel in channels:
        name: Span = (f"{_tail(channel, first):<{label}} ", "title")
        if channel.used is None:
            lines.append([name, (f"? {channel.refused or ''}", "unknown")])
            continue
        mailbox = _mailbox(state, view, channel)
        waiting = "  ".join(f"■ {each.role} {each.age}" for each in (*mailbox.receivers, *mailbox.senders))
        rest: list[Line] = [*message_lines(mailbox, width, max(1, share - 1), view.language)]
        rest += _strangers(state, view, channel)
        fill = fill_line(replace(mailbox, size=None), width, view.language)
        lines += [[name, *fill, (f" {waiting}", "blocked")], *rest][:share]
    return lines


def _tail(channel: Channel, first: str) -> str:
    """What a mailbox's name adds to the first one's; that one's own last part."""
    return channel.object.removeprefix(first) or f"…{first[-8:]}"


def _all_contents(state: LabState, view: View, channels: Sequence[Channel], width: int, height: int) -> Sequence[Line]:
    lines: list[Line] = []
    for channel in channels:
        lines += [*_contents(state, view, channel, width, height), []]
    return lines[:-1]


def _box(state: LabState, view: View, channel: Channel) -> Box:
    title: list[Span] = [(channel.object, "title")]
    if channel.facts.get("unlinked"):
        title.append((f" {_word(view.language, 'name deleted')}", "warning"))
    return Box(title, partial(_lines, state, view, channel), partial(_contents, state, view, channel), wish=5)


def box_of(state: LabState, channel: Channel) -> Mapping[str, Any]:
    """What the trace knows of a mailbox."""
    known: Mapping[str, Any] = state.facts.get("mailboxes", {}).get(channel.object, empty())
    return known


def _mailbox(state: LabState, view: View, channel: Channel) -> Mailbox:
    items = box_of(state, channel)["items"]
    count = channel.used or 0
    ranked = len({item[0] for item in items}) > 1 or any(item[0] for item in items)
    letters = tuple(Letter(short(item[2]), item[3], item[0] if ranked else None) for item in items[:count])
    return Mailbox(
        letters,
        count,
        channel.capacity,
        channel.facts.get("message_size"),
        receivers=_receivers(state, view, channel),
        senders=waiters(state, channel.object, {"mq_send"}, view),
    )


def short(text: str) -> str:
    """A message's text; where it is one letter repeated, its sender and number alone."""
    found = _FILLED.fullmatch(text)
    return found[1] if found is not None and len(set(found[2])) <= 1 else text.removesuffix("\\n")


def _receivers(state: LabState, view: View, channel: Channel) -> tuple[Waiter, ...]:
    """Those that wait to receive, in the order in which the kernel will serve them; nice values where they differ."""
    nice = channel.facts.get("nice", {})
    found = sorted(waiters(state, channel.object, {"mq_receive"}, view), key=lambda waiter: nice.get(waiter.role, 0))
    if len(set(nice.values())) < 2:
        return tuple(found)
    return tuple(replace(waiter, role=f"{waiter.role} nice {nice.get(waiter.role)}") for waiter in found)


def _lines(state: LabState, view: View, channel: Channel, width: int, height: int) -> Sequence[Line]:
    if channel.used is None:
        return [[(f"? {channel.refused or ''}", "unknown")]]
    own = [*_strangers(state, view, channel), _about(state, view, channel)]
    return [*queue_lines(_mailbox(state, view, channel), width, max(2, height - len(own)), view.language), *own]


def _strangers(state: LabState, view: View, channel: Channel) -> list[Line]:
    count = box_of(state, channel)["strangers"]
    if not count:
        return []
    if view.language == "ko":
        text = f" {count}개는 어느 일꾼도 보내지 않은 외부 메시지; 커널이 내용을 보여 주지 않는다"
    else:
        text = f" {count} of them no worker sent: foreign; the kernel does not show what they say"
    return [[(text, "foreign")]]


def _about(state: LabState, view: View, channel: Channel) -> Line:
    facts, language = channel.facts, view.language
    parts: list[str] = []
    if state.header is not None and state.header.variant == "one-to-many":
        policy = str(state.header.parameters.get("policy", "system"))
        parts.append(f"{_word(language, 'policy')}: {_word(language, policy)}")
    maker = box_of(state, channel)["maker"]
    if facts.get("joined"):
        parts.append(_word(language, "joined"))
    elif maker:
        parts.append(f"{_word(language, 'made by')} {maker}")
    if facts.get("notify"):
        parts.append(f"{_word(language, 'notifies')} {facts['notify']}")
    if channel.readers or channel.writers:
        strangers = [name for name in dict.fromkeys((*channel.writers, *channel.readers)) if name.startswith("pid ")]
        senders, receivers = len(channel.writers), len(channel.readers)
        ends = f"{_counted(senders, 'sender', language)} · {_counted(receivers, 'receiver', language)}"
        parts.append(ends + (f" ({', '.join(strangers)})" if strangers else ""))
    else:
        parts.append(_word(language, "nobody has it open"))
    if facts.get("uid") is not None:
        mode = stat.filemode(stat.S_IFREG | int(facts.get("mode") or 0))[1:]
        parts.append(f"{mode} uid {facts['uid']}")
    if facts.get("bytes") is not None:
        parts.append(f"{grouped(int(facts['bytes']))} B")
    return [(" · ".join(parts), "dim")]


def _counted(count: int, what: str, language: str) -> str:
    return f"{count} {_word(language, what if count == 1 else what + 's')}"


def _contents(state: LabState, view: View, channel: Channel, width: int, height: int) -> Sequence[Line]:
    if channel.used is None:
        return [[(channel.object, "title")], [(f"? {channel.refused or ''}", "unknown")]]
    mailbox = _mailbox(state, view, channel)
    lines: list[Line] = [
        [(channel.object, "title")],
        fill_line(mailbox, width, view.language),
        _about(state, view, channel),
    ]
    for place, item in enumerate(box_of(state, channel)["items"][: channel.used], 1):
        lines.append(
            [
                (f"{place:>4} ", "dim"),
                (f"[{item[0]}] ", "number"),
                (f"{grouped(item[3]):>6} B  ", "number"),
                (f'"{item[2]}"', "message" if item[1] is not None else "foreign"),
            ]
        )
    lines += _strangers(state, view, channel)
    for each in (*mailbox.receivers, *mailbox.senders):
        lines.append([(f"   ■ {each.role} {each.pid} {each.call} {each.age}", "blocked")])
    return lines


def notes(state: LabState, process: ProcessState) -> Sequence[Line]:
    """The nice value, where those who receive do not all have the same."""
    for held in state.channels.values():
        nice = held.now.facts.get("nice", {})
        if len(set(nice.values())) > 1 and process.role in nice:
            return [[("nice ", "dim"), (str(nice[process.role]), "number")]]
    return []


def _next_policy(state: LabState, view: View) -> str:
    if state.header is None or state.header.variant != "one-to-many":
        return ""
    now = str(state.header.parameters.get("policy", POLICIES[0]))
    return f"set policy {POLICIES[(POLICIES.index(now) + 1) % len(POLICIES)]}" if now in POLICIES else ""


def _nicer(state: LabState, view: View) -> str:
    return f"nice {view.selected}" if view.selected in state.processes else ""


PANE = Stage(boxes, caption, "wide", notes).pane(
    Path(__file__).parent,
    "every message in the mailbox, in the order in which they will leave",
    Offer("6", "policy", "one-to-many: who may receive, the next of three policies; restarts", command=_next_policy),
    Offer("7", "nicer", "make the selected process nicer by 10", command=_nicer),
    Offer("8", "delete", "take the mailbox's name away (mq_unlink)", command=lambda state, view: "delete"),
    Offer("9", "flat out", "everybody as fast as it goes", command=lambda state, view: "rate all 0"),
)
