"""The gauge of a channel that fills: bytes and slots, what is next to come out, and who holds its ends."""

from __future__ import annotations

from rich.cells import cell_len

from ipctui.trace.records import Channel, Item
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Canvas, Span
from ipctui.widgets.view import View
from ipctui.widgets.words import word

_MOST_SLOTS = 16


def draw_channel(
    canvas: Canvas,
    channel: Channel,
    view: View,
    x: int,
    y: int,
    width: int,
    height: int,
    waited_for: bool = False,
) -> None:
    """Draw what is known of a channel in at most `height` lines; `waited_for` when a writer sleeps before it."""
    for line, spans in enumerate(channel_lines(channel, view, width, height, waited_for)):
        canvas.spans(x, y + line, spans, width)


def channel_lines(channel: Channel, view: View, width: int, height: int, waited_for: bool = False) -> list[list[Span]]:
    """The most important first: fill, bar, slots, next, last, holders."""
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

    Without a free slot a byte stream may still take what fits behind the last message, so that is not full.
    """
    if waited_for:
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
        (f"{writers} {word(language, 'writer' if writers == 1 else 'writers')} · ", "text" if writers else "warning"),
        (f"{readers} {word(language, 'reader' if readers == 1 else 'readers')}", "text" if readers else "warning"),
    ]
    foreign = [name for name in (*channel.writers, *channel.readers) if name.startswith("pid ")]
    if foreign:
        spans.append((f" ({', '.join(foreign)})", "warning"))
    return spans


def draw_contents(
    canvas: Canvas,
    channel: Channel,
    view: View,
    x: int,
    y: int,
    width: int,
    height: int,
    waited_for: bool = False,
) -> None:
    """Draw what is in a channel, message by message, and its first bytes; `waited_for` when a writer sleeps."""
    language = view.language
    if channel.closed or channel.used is None:
        canvas.spans(x, y, [(channel.object + "  ", "title"), *channel_lines(channel, view, width, 1)[0]], width)
        return
    fill = fill_line(channel, language, waited_for)
    canvas.spans(x, y, [(channel.object + "  ", "title"), *fill, (" ", "text")], width)
    canvas.spans(
        x, y + 1, [*slots_line(channel, language, width), ("  ", "text"), *holders_line(channel, language)], width
    )
    canvas.spans(x, y + 2, bar(channel.used or 0, channel.capacity or 0, width))
    hex_rows = min(6, max(0, height - 8), (len(channel.head) // 2 + 15) // 16)
    room = height - 4 - hex_rows
    items = [(index + 1, item) for index, item in enumerate(channel.items)]
    shown = items[: room - 2] if channel.last is not None else items[:room]
    line = y + 3
    if not items:
        canvas.put(x, line, f"– {word(language, 'no message')}", "dim")
    for index, item in shown:
        role = "message" if item.id is not None else "foreign"
        canvas.spans(
            x,
            line,
            [(f"{index:>4} ", "dim"), (f"{grouped(item.size):>7} B  ", "number"), (f'"{item.text}"', role)],
            width,
        )
        line += 1
    if channel.last is not None and channel.count is not None and channel.count > len(shown):
        hidden = channel.count - len(shown) - 1
        if hidden > 0:
            canvas.put(x, line, f"   … {grouped(hidden)} {word(language, 'messages')}", "dim")
            line += 1
        canvas.spans(
            x,
            line,
            [
                (f"{channel.count:>4} {grouped(channel.last.size):>7} B  ", "number"),
                (f'"{channel.last.text}"', "message"),
            ],
            width,
        )
    draw_hex(canvas, bytes.fromhex(channel.head), x, y + height - hex_rows, width, hex_rows)


def draw_hex(canvas: Canvas, data: bytes, x: int, y: int, width: int, rows: int) -> None:
    """Draw bytes as a hex dump, sixteen a row (eight where the width asks for it)."""
    per_row = 16 if width >= 74 else 8
    for row in range(rows):
        part = data[row * per_row : (row + 1) * per_row]
        if not part:
            return
        digits = " ".join(f"{byte:02x}" for byte in part)
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        canvas.spans(
            x,
            y + row,
            [(f"{row * per_row:04x}  ", "dim"), (f"{digits:<{per_row * 3}} ", "text"), (text, "message")],
            width,
        )
