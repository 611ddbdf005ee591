"""The gauge of a channel that fills: bytes and slots, what is next to come out, and who holds its ends."""

from __future__ import annotations

from rich.cells import cell_len

from ipctui.trace.records import Channel, Item
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.view import View
from ipctui.widgets.words import counted, word

_MOST_SLOTS = 16


def channel_lines(channel: Channel, view: View, waited_for: bool, width: int, height: int) -> list[list[Span]]:
    """What is known of a channel, the most important first: fill, bar, slots, next, last, holders.

    `waited_for`: the kernel let somebody sleep who writes to it.
    """
    language = view.language
    if channel.closed:
        return [[(f"✝ {word(language, 'gone')}", "ended")]]
    if channel.used is None or channel.capacity is None:
        return [[("? " + (channel.refused or ""), "unknown")]]
    fill = fill_line(channel, language, waited_for)
    level = bar(channel.used, channel.capacity, width)
    if height <= 2:
        if channel.slots is not None:
            fill = [*fill, (f" {'?' if channel.slots_used is None else channel.slots_used}/{channel.slots}", "number")]
        return [fill, level][:height]
    lines = [
        fill,
        level,
        slots_line(channel, language, width),
        _item_line("next", channel.items[0] if channel.items else None, language),
        _item_line("last", channel.last, language),
        holders_line(channel, language),
    ]
    if channel.packets:
        lines.append([("O_DIRECT: ", "dim"), (word(language, "packets"), "text")])
    if channel.refused is not None:
        lines.append([(f"? {channel.refused}", "unknown")])
    return lines[:height] if height > 4 else [*lines[: height - 1], lines[5]]


def is_full(channel: Channel, waited_for: bool = False) -> bool:
    """Whether nothing more goes in: the kernel let a writer sleep, no byte is free, or no slot for a packet.

    Without a free slot a byte stream may still take what fits behind the last message, so that is not full. With one,
    whoever slept when last looked at has been woken: the two are looked at one after the other.
    """
    free = channel.slots is not None and channel.slots_used is not None and channel.slots_used < channel.slots
    if waited_for and not free:
        return True
    if channel.packets and channel.slots is not None and channel.slots_used is not None:
        return channel.slots_used >= channel.slots
    return channel.used is not None and channel.capacity is not None and channel.used >= channel.capacity


def fill_line(channel: Channel, language: str, waited_for: bool = False) -> list[Span]:
    """`4,096 B of 4,096 FULL`."""
    unit = "B" if channel.unit == "bytes" else channel.unit
    spans: list[Span] = [
        (f"{grouped(channel.used or 0)} {unit} ", "number"),
        (f"{word(language, 'of')} {grouped(channel.capacity or 0)} ", "text"),
    ]
    if is_full(channel, waited_for):
        spans.append((word(language, "FULL"), "blocked"))
    elif not channel.used:
        spans.append((word(language, "empty"), "dim"))
    return spans


def bar(used: int, capacity: int, width: int) -> list[Span]:
    """A bar of `width` cells; never empty while something is in, never full while something fits."""
    full = used * width // capacity if capacity else 0
    if used and not full:
        full = 1
    full = min(full, width)
    return [("█" * full, "fill"), ("░" * (width - full), "fill.empty")]


def slots_line(channel: Channel, language: str, width: int) -> list[Span]:
    """Slots as little boxes where they are few, and as numbers."""
    if channel.slots is None:
        return []
    used = channel.slots_used
    label = word(language, "slots")
    if used is None:
        return [(f"{label} ?/{channel.slots}", "unknown")]
    numbers = f"{used}/{channel.slots}"
    spans: list[Span] = [(f"{label} ", "text")]
    if channel.slots <= min(_MOST_SLOTS, width - len(numbers) - cell_len(label) - 2):
        spans += [("▮" * used, "fill"), ("▯" * (channel.slots - used), "fill.empty"), (" ", "text")]
    return [*spans, (numbers, "number")]


def _item_line(label: str, item: Item | None, language: str) -> list[Span]:
    spans: list[Span] = [(f"{word(language, label)} ", "dim")]
    if item is None:
        return [*spans, ("–", "dim")]
    if item.id is None:
        return [*spans, (f'"{item.text}"', "foreign")]
    return [*spans, (f'"{item.text}"', "message")]


def holders_line(channel: Channel, language: str) -> list[Span]:
    """How many write to it and read from it; processes from outside by their pid."""
    writers, readers = len(channel.writers), len(channel.readers)
    spans: list[Span] = [
        (counted(language, writers, "writer" if writers == 1 else "writers") + " · ", "text" if writers else "warning"),
        (counted(language, readers, "reader" if readers == 1 else "readers"), "text" if readers else "warning"),
    ]
    foreign = [name for name in (*channel.writers, *channel.readers) if name.startswith("pid ")]
    if foreign:
        spans.append((f" ({', '.join(foreign)})", "warning"))
    return spans


def contents_lines(channel: Channel, view: View, waited_for: bool, width: int, height: int) -> list[Line]:
    """What is in a channel, message by message, and its first bytes; `waited_for` when a writer sleeps before it.

    The bytes begin in the lower half of `height` lines, wherever the messages leave it free, and go on below it.
    """
    language = view.language
    if channel.closed or channel.used is None:
        return [[(channel.object + "  ", "title"), *channel_lines(channel, view, waited_for, width, 1)[0]]]
    head: list[Line] = [
        [(channel.object + "  ", "title"), *fill_line(channel, language, waited_for), (" ", "text")],
        [*slots_line(channel, language, width), ("  ", "text"), *holders_line(channel, language)],
        bar(channel.used, channel.capacity or 0, width),
    ]
    messages = _message_lines(channel, language)
    dump = hex_lines(bytes.fromhex(channel.head), width)
    pinned = min(len(dump), max(0, (height - 4) // 2))
    blank = height - len(head) - len(messages) - pinned
    if pinned < len(dump) or blank < 1:
        # The last line will say how much there is below.
        blank -= 1
    return [*head, *messages, *([] for _ in range(max(1, blank))), *dump]


def _message_lines(channel: Channel, language: str) -> list[Line]:
    """The messages that are known, oldest first, and how many are between these and the youngest."""
    lines: list[Line] = [
        [
            (f"{place:>4} ", "dim"),
            (f"{grouped(item.size):>7} B  ", "number"),
            (f'"{item.text}"', "message" if item.id is not None else "foreign"),
        ]
        for place, item in enumerate(channel.items, 1)
    ]
    if not lines:
        lines.append([(f"– {word(language, 'no message')}", "dim")])
    if channel.last is not None and channel.count is not None and channel.count > len(channel.items):
        hidden = channel.count - len(channel.items) - 1
        if hidden > 0:
            lines.append([(f"   … {grouped(hidden)} {word(language, 'messages')}", "dim")])
        lines.append(
            [
                (f"{channel.count:>4} {grouped(channel.last.size):>7} B  ", "number"),
                (f'"{channel.last.text}"', "message"),
            ]
        )
    return lines
