"""The mailbox's pane: each queue across the whole width, its messages in leaving order, who waits at either end."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.cells import cell_len

from ipctui.lab.state import LabState, ProcessState
from ipctui.mechanisms.mailbox.caption import caption
from ipctui.mechanisms.mailbox.commands import POLICIES
from ipctui.mechanisms.mailbox.glimpse import box_of, mailboxes, niceness, placed, policy_of
from ipctui.mechanisms.mailbox.words import said, worded
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Frame, Line, Span, wrapped
from ipctui.widgets.queue import Letter, Mailbox, fill_line, message_lines, queue_lines
from ipctui.widgets.stage import Box, Stage, lessons, living, parts
from ipctui.widgets.view import Offer, Pane, View
from ipctui.widgets.waiting import Waiter, waiters
from ipctui.widgets.words import word

_MOST_STRANGERS = 20
_FILLED = re.compile(r"([a-z]{1,16}[0-9]{0,6}:[0-9]{1,19}) (.*?)(?:\\n|␊)?", re.DOTALL)


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
    shown = channels if len(channels) <= height else channels[: height - 1]
    label = max(len(_tail(channel, first)) for channel in shown)
    share = max(1, height // len(channels))
    lines: list[Line] = []
    for channel in shown:
        name: Span = (f"{_tail(channel, first):<{label}} ", "title")
        if unseen := _unseen(channel, view.language):
            lines.append([name, *unseen[0]])
            continue
        mailbox = _mailbox(state, view, channel)
        waiting = "  ".join(f"■ {each.role} {each.age}" for each in (*mailbox.receivers, *mailbox.senders))
        foreign = _strangers(state, view, channel)
        rest: list[Line] = [*message_lines(mailbox, width, max(1, share - 1 - len(foreign)), view.language), *foreign]
        fill = fill_line(replace(mailbox, size=None), width, view.language)
        lines += [[name, *fill, (f" {waiting}", "blocked")], *rest][:share]
    if len(shown) < len(channels):
        lines.append([(f"… {len(channels) - len(shown)} {word(view.language, 'more')} (2)", "warning")])
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
        title.append((f" {said(view.language, 'name deleted')}", "warning"))
    return Box(title, partial(_lines, state, view, channel), partial(_contents, state, view, channel), wish=5)


def _mailbox(state: LabState, view: View, channel: Channel) -> Mailbox:
    items = box_of(state, channel)["items"]
    count = channel.used or 0
    ranked = len({item[0] for item in items}) > 1 or any(item[0] for item in items)
    letters = [Letter(short(item[2]), item[3], item[0] if ranked else None) for item in items[:count]]
    # Where among the others they stand depends on their priority, which the kernel does not show.
    unknown = min(box_of(state, channel)["strangers"], count - len(letters), _MOST_STRANGERS)
    letters += [Letter(said(view.language, "foreign"), foreign=True)] * unknown
    return Mailbox(
        tuple(letters),
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


def _unseen(channel: Channel, language: str) -> Sequence[Line]:
    """What is said of a mailbox of which there is nothing to see: it is gone, or may not be looked at."""
    if channel.closed:
        return [[(f"– {word(language, 'gone')}", "dim")]]
    return [[(f"? {channel.refused or ''}", "unknown")]] if channel.used is None else []


def _lines(state: LabState, view: View, channel: Channel, width: int, height: int) -> Sequence[Line]:
    if unseen := _unseen(channel, view.language):
        return unseen
    mailbox = _mailbox(state, view, channel)
    waiting = bool(mailbox.receivers) + bool(mailbox.senders)
    own = [*_strangers(state, view, channel), _about(state, view, channel, width)][: max(0, height - 2 - waiting)]
    if not mailbox.count and height < 4 + waiting:
        # That it is empty is said in the first line; who waits for what comes is worth more than saying it again.
        head = queue_lines(mailbox, width, 2 + waiting, view.language)
        return [head[0], *head[2:], _about(state, view, channel, width)][:height]
    return [*queue_lines(mailbox, width, max(2, height - len(own)), view.language), *own]


def _strangers(state: LabState, view: View, channel: Channel) -> list[Line]:
    count = box_of(state, channel)["strangers"]
    if not count:
        return []
    if view.language == "ko":
        text = f" {count}개는 어느 일꾼도 보내지 않은 외부 메시지; 커널이 내용을 보여 주지 않는다"
    else:
        text = f" {count} of them no worker sent: foreign; the kernel does not show what they say"
    return [[(text, "foreign")]]


def _about(state: LabState, view: View, channel: Channel, width: int) -> Line:
    """As much of what there is to say of a mailbox as has room: parts are left out whole, the least telling first."""
    said_of = _facts(state, view, channel)
    while len(said_of) > 1 and cell_len(" · ".join(said_of)) > width:
        said_of.pop()
    return [(" · ".join(said_of), "dim")]


def _facts(state: LabState, view: View, channel: Channel) -> list[str]:
    """What there is to say of a mailbox, the most telling first."""
    facts, language = channel.facts, view.language
    found: list[str] = []
    policy = policy_of(state)
    if policy is not None:
        found.append(f"{said(language, 'policy')}: {said(language, policy)}")
    maker = box_of(state, channel)["maker"]
    if facts.get("joined"):
        found.append(said(language, "joined"))
    elif maker:
        found.append(f"{said(language, 'made by')} {maker}")
    if facts.get("notify"):
        found.append(f"{said(language, 'notifies')} {facts['notify']}")
    if channel.readers or channel.writers:
        strangers = [name for name in dict.fromkeys((*channel.writers, *channel.readers)) if name.startswith("pid ")]
        senders, receivers = len(channel.writers), len(channel.readers)
        ends = f"{_counted(senders, 'sender', language)} · {_counted(receivers, 'receiver', language)}"
        found.append(ends + (f" ({', '.join(strangers)})" if strangers else ""))
    else:
        found.append(said(language, "nobody has it open"))
    if facts.get("uid") is not None:
        mode = stat.filemode(stat.S_IFREG | int(facts.get("mode") or 0))[1:]
        found.append(f"{mode} uid {facts['uid']}")
    if facts.get("bytes") is not None:
        found.append(f"{grouped(int(facts['bytes']))} B")
    return found


def _counted(count: int, what: str, language: str) -> str:
    return f"{count} {said(language, what if count == 1 else what + 's')}"


def _contents(state: LabState, view: View, channel: Channel, width: int, height: int) -> Sequence[Line]:
    if unseen := _unseen(channel, view.language):
        return [[(channel.object, "title")], *unseen]
    mailbox = _mailbox(state, view, channel)
    lines: list[Line] = [
        [(channel.object, "title")],
        fill_line(mailbox, width, view.language),
        *(
            [(line, "dim")]
            for line in wrapped(" · ".join(_facts(state, view, channel)), width, len(_facts(state, view, channel)))
        ),
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


def notes(state: LabState, process: ProcessState, language: str) -> Sequence[Line]:
    """The nice value, where those who receive do not all have the same."""
    nice = niceness(state)
    return [[("nice ", "dim"), (str(nice[process.role]), "number")]] if process.role in nice else []


def _next_policy(state: LabState, view: View) -> str:
    now = policy_of(state)
    order = tuple(POLICIES)
    return f"policy {order[(order.index(now) + 1) % len(order)]}" if now in order else ""


def _of_selected(command: str) -> Callable[[LabState, View], str]:
    return lambda state, view: f"{command} {view.selected}" if view.selected in state.processes else ""


def _nicer(state: LabState, view: View) -> str:
    """Who waits in receive is served by its priority: that of a sender would change nothing."""
    receivers = [role for box in mailboxes(state) for role in box.readers if role in state.processes]
    chosen = receivers[-1] if receivers and view.selected not in receivers else view.selected
    return f"nice {chosen}" if chosen in state.processes else ""


def _delete(state: LabState, view: View) -> str:
    process = state.processes.get(view.selected)
    return f"delete {view.selected}" if process is not None and process.exited is None and process.pid else "delete"


_STAGE = Stage(boxes, caption, "wide", notes)


def draw(state: LabState, view: View, width: int, height: int) -> Frame:
    """The pane of a state: each sleeper's object its mailbox, its reason in the view's language."""
    return _STAGE.draw(worded(placed(state), view.language), view, width, height)


_OWN = (
    Offer("6", "create", "the selected makes the mailbox, its name being free", command=_of_selected("create")),
    Offer("7", "receive", "the selected receives one message more, held or not", command=_of_selected("receive")),
    Offer("8", "delete", "the selected takes the mailbox's name away (mq_unlink); i sends", command=_delete),
    Offer("9", "nicer", "the selected receiver, else the last, makes itself nicer by 10: nice(2)", command=_nicer),
    Offer(
        "l",
        "policy",
        "one-to-many: who may receive, the next of three policies; nobody is started again",
        command=_next_policy,
    ),
)

PANE = Pane(
    draw,
    (*_OWN, *parts("every message in the mailbox, in the order in which they will leave")),
    lessons(Path(__file__).parent),
)
