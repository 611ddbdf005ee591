"""What the cells are told in, English and Korean: titles, definitions, and how a channel and its counts are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ipctui.lab.state import LabState, Link, ProcessState
from ipctui.mechanisms.sync.counts import Sums
from ipctui.trace.records import Channel, Item
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, width_of
from ipctui.widgets.gauge import bar
from ipctui.widgets.language import in_language


def said(language: str, text: str) -> str:
    """A word or phrase in a language."""
    return in_language(language, text)


_TRANSFERS = frozenset(("semctl", "semop", "mq_send", "mq_receive", "write", "read", "load", "sem_wait", "sem_trywait"))
"""Calls of which each send and receive is made: before its first, a process sets up its end, its mode last."""


def is_nonblocking(process: ProcessState) -> bool:
    """Whether its end is non-blocking: by its descriptors now; before its first send or receive, as it will begin.

    Once they are closed its program goes on as it did: semop(2) and sem_wait(3) need no descriptor.
    """
    counters = process.counters
    if counters is None or not any(count.calls and count.name in _TRANSFERS for count in counters.calls):
        return _begins_nonblocking(process)
    rows = [row for row in process.descriptors if not row.end.endswith("closed")]
    if not rows and process.descriptors and process.settings is not None:
        return process.settings.nonblocking is True
    return any(row.nonblocking for row in rows)


def _begins_nonblocking(process: ProcessState) -> bool:
    """By the name of its cell, `bn` and so on; in `buffering` everybody blocks."""
    letters = process.cell if process.cell in ("bb", "bn", "nb", "nn") else "bb"
    return letters[process.role != "sender"] == "n"


def title(sender: ProcessState, receiver: ProcessState, language: str) -> str:
    """What the two ends are now."""
    send, receive = is_nonblocking(sender), is_nonblocking(receiver)
    if send and receive:
        return said(language, "send and receive non-blocking")
    modes = tuple("non-blocking" if each else "blocking" for each in (send, receive))
    return said(language, f"send {modes[0]} · receive {modes[1]}")


def definition(carrier: str, sender: ProcessState, receiver: ProcessState, language: str) -> str:
    """What a send, or its receipt, means in this cell."""
    send, receive = is_nonblocking(sender), is_nonblocking(receiver)
    if carrier == "zero":
        if send and receive:
            text = "neither ever waits: they never meet"
        elif send:
            text = "received by one who waits, or refused"
        else:
            text = "received only if offered just then" if receive else "received by the receiver"
    elif carrier == "pipe":
        text = "short count: the rest is not written" if send else "sent = its last byte is in the pipe"
    elif carrier == "bounded":
        text = "received by the mailbox; full: refused" if send else "received by the mailbox; full: waits"
    else:
        text = "received by the queue, at once"
    return said(language, text)


def count_lines(sent: Sums, received: Sums, short: int, language: str, width: int, died: int = 0) -> Sequence[Line]:
    """`offered 12 = 11 accepted + 0 refused + 1 in hand`, and what was received; with less room fewer words.

    Of the messages in neither sum, `died` is how many ended with their sender: these are in nobody's hand.
    """
    hand, brief = ("open", "open") if died else ("in hand", "now")
    forms: list[_Words] = [("offered", "accepted", "refused", hand), ("offered", "", "refused", hand)]
    forms.append(("offered", "", "refused", brief))
    if not sent.refused:
        forms += [("offered", "", None, hand), ("offered", "", None, brief)]
        forms += [("offered", "", None, ""), ("", "", None, brief)]
    forms += [("", "", "refused", brief), ("", "", "refused", "")]
    equations = (_equation(sent, words, language) for words in forms)
    first = next((line for line in equations if width_of(line) <= width), None) or [
        (f"{grouped(sent.offered)}={grouped(sent.accepted)}+{grouped(sent.refused)} ref+{sent.in_hand}", "number")
    ]
    second: list[Span] = [
        (f"{said(language, 'received')} ", "text"),
        (grouped(received.received), "number"),
    ]
    if received.empty:
        second.append((f" · {said(language, 'null')} {grouped(received.empty)}", "empty"))
    if short:
        second.append((f" · {grouped(short)} {said(language, 'short counts')}", "warning"))
    if died:
        lost: Span = (f" · {grouped(died)} {said(language, 'died with its sender')}", "warning")
        second += [lost] if width_of([*second, lost]) <= width else []
    return [first, second]


_Words = tuple[str, str, str | None, str]
"""What the numbers of the equation are called, "" for nothing; None leaves the refused out."""


def _equation(sent: Sums, words: _Words, language: str) -> list[Span]:
    counts = (sent.offered, sent.accepted, sent.refused, sent.in_hand)
    spans: list[Span] = []
    for place, (count, word) in enumerate(zip(counts, words, strict=True)):
        if word is None:
            continue
        role = "empty" if place == 2 and count else "number"
        name = said(language, word) if word else ""
        if place == 0:
            spans += [(f"{name} " if name else "", "text"), (grouped(count), role)]
        else:
            spans += [(" = " if place == 1 else " + ", "text"), (grouped(count), role)]
            spans.append((f" {name}" if name else "", role if place == 2 else "text"))
    return spans


def channel_lines(channel: Channel | None, language: str, width: int, height: int) -> Sequence[Line]:
    """What is in a cell's channel, the most important first."""
    if channel is None or channel.used is None:
        refused = channel.refused if channel is not None else None
        return [[(f"? {refused}" if refused else "–", "unknown" if refused else "dim")]]
    draw = {"rendezvous": _offer, "mqueue": _places, "pipe": _level, "growing": _growth}
    lines = [*draw.get(channel.type, _level)(channel, language, width)]
    lines += [
        [(f"  {short(item.text)}", "message" if item.id is not None else "foreign")]
        for item in channel.items[: max(0, height - len(lines)) if channel.type != "rendezvous" else 0]
    ]
    return lines[:height]


def detail_lines(channel: Channel, language: str) -> list[Line]:
    """What an outsider's tool would say of a channel: the values of its semaphores and who sleeps there, its sizes."""
    facts = channel.facts
    if channel.type == "rendezvous" and "semaphores" in facts:
        text = (
            f"ipcs -s -i {facts['semaphores']}: OFFERED {facts.get('offered')} (ncount {facts.get('receivers_asleep')}"
            f") · BUSY {facts.get('busy')} · zcount {facts.get('senders_asleep')}"
        )
    elif channel.type == "growing":
        text = f"in {grouped(facts['in'])} · out {grouped(facts['out'])} · st_blocks {size_text(facts['resident'])}"
    elif channel.type == "mqueue":
        text = f"mq_curmsgs {channel.used} · mq_maxmsg {channel.capacity} · mq_msgsize {facts.get('message_size')}"
    elif channel.slots is not None:
        text = f"FIONREAD {channel.used} · F_GETPIPE_SZ {channel.capacity} · {channel.slots_used}/{channel.slots}"
        text += f" {said(language, 'slots')}"
    else:
        return []
    return [[(text, "dim")]]


def filled(channel: Channel | None, links: Sequence[Link]) -> Channel | None:
    """A channel with the messages that the trace knows to lie in it, where the kernel does not show them."""
    if channel is None or channel.items or channel.type != "mqueue" or not channel.used:
        return channel
    waiting = [link.id.rpartition("/")[2] for link in links if link.received is None][-channel.used :]
    return replace(channel, items=tuple(Item(message, message, 0) for message in waiting))


def short(text: str) -> str:
    """A message's text without the letter that fills it up."""
    head, _, body = text.partition(" ")
    return head if len(set(body.rstrip("…").removesuffix("\\n"))) <= 1 else text.removesuffix("\\n")


def _offer(channel: Channel, language: str, width: int) -> list[Line]:
    asleep = [
        f"{'S' if name == 'senders_asleep' else 'R'} {said(language, 'asleep')}"
        for name in ("senders_asleep", "receivers_asleep")
        if channel.facts.get(name)
    ]
    tail = f"  ({', '.join(asleep)})" if asleep and width >= 50 else ""
    if channel.facts.get("offered"):
        item = short(channel.items[0].text) if channel.items else said(language, "a message")
        words = "waiting for its receiver" if width >= 36 else "offered"
        return [[("◇ ", "message"), (item, "message"), (f" {said(language, words)}", "text"), (tail, "dim")]]
    if channel.facts.get("busy"):
        words = "in the receiver's hands" if width >= 28 else "taken"
        return [[("● ", "message"), (said(language, words), "text"), (tail, "dim")]]
    return [[("○ ", "dim"), (said(language, "nothing can lie here"), "dim"), (tail, "dim")]]


def _places(channel: Channel, language: str, width: int) -> list[Line]:
    used, capacity = channel.used or 0, channel.capacity or 0
    spans: list[Span] = []
    if capacity <= 16:
        spans += [("▮" * used, "fill"), ("▯" * (capacity - used), "fill.empty"), (" ", "text")]
    spans += [(f"{used}", "number"), (f" / {capacity}", "text")]
    word = "full" if used >= capacity else "" if used else "empty"
    if word:
        spans.append((f" {said(language, word)}", "blocked" if used else "dim"))
    return [spans]


def _level(channel: Channel, language: str, width: int) -> list[Line]:
    used, capacity = channel.used or 0, channel.capacity or 0
    figures = f" {grouped(used)} B / {grouped(capacity)}"
    full = f" {said(language, 'full')}" if capacity and used >= capacity else ""
    room = min(20, width - len(figures) - 8)
    return [[*bar(used, capacity, max(4, room)), (figures, "number"), (full, "blocked")]]


def _growth(channel: Channel, language: str, width: int) -> list[Line]:
    facts = channel.facts
    count: Span = (grouped(channel.used or 0), "number")
    memory: Span = (size_text(facts.get("resident")), "number")
    limit = size_text(facts.get("limit_bytes"))
    free = facts.get("free")
    left = f" · /dev/shm {said(language, 'free')} {size_text(free)}" if isinstance(free, int) else ""
    forms: tuple[list[Span], ...] = (
        [count, (f" · {said(language, 'memory')} ", "text"), memory, (f" {said(language, 'of')} {limit}{left}", "dim")],
        [count, (f" · {said(language, 'memory')} ", "text"), memory, (f" {said(language, 'of')} {limit}", "dim")],
        [count, (" · ", "text"), memory, (f" / {limit}", "dim")],
    )
    return [next((form for form in forms if width_of(form) <= width), forms[-1])]


def size_text(count: Any) -> str:
    """Bytes as people say them: `8 KiB`, `64 MiB`."""
    if not isinstance(count, int):
        return "?"
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if count >= 1 << shift:
            value = count / (1 << shift)
            return f"{value:.1f} {unit}" if value < 10 and count % (1 << shift) else f"{value:,.0f} {unit}"
    return f"{count} B"


def carrier_of(state: LabState, cell: str) -> str:
    """The carrier of a cell: in `buffering` its name, in `sync` the variant's."""
    if state.header is None:
        return ""
    return cell if state.header.mechanism == "buffering" else state.header.variant


def channel_of(state: LabState, cell: str) -> Channel | None:
    """A cell's channel as it was looked at last."""
    found = [held.now for held in state.channels.values() if held.now.cell == cell]
    living = [channel for channel in found if not channel.closed]
    return (living or found)[-1] if found else None
