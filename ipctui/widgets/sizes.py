"""A table of times by size: a row for each way, a column for each size, the fastest of a column marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from ipctui.widgets.canvas import Line, Span, padded


def size_text(size: int) -> str:
    """`256`, `4 K`, `64 M`: bytes in five cells."""
    for shift, letter in ((30, "G"), (20, "M"), (10, "K")):
        if size >= 1 << shift and not size % (1 << shift):
            return f"{size >> shift} {letter}"
    return str(size)


def time_text(nanoseconds: int | float) -> str:
    """`12.3 µs`, `4.56 ms`, `1.2 s`: three digits and a unit, seven cells at most."""
    value, unit = float(nanoseconds), "ns"
    for larger in ("µs", "ms", "s"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    digits = 0 if value >= 100 or unit == "ns" else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}"


def crossing(slower: Mapping[int, int], faster: Mapping[int, int]) -> int | None:
    """The smallest size from which on one way beats the other at every size measured; None where there is none."""
    found = None
    for size in sorted(set(slower) & set(faster), reverse=True):
        if faster[size] >= slower[size]:
            break
        found = size
    return found


def size_lines(ways: Mapping[str, Mapping[int, int]], sizes: Sequence[int], width: int) -> list[Line]:
    """The table; times are nanoseconds. Where not all sizes fit, every second one is left out, the largest kept."""
    label = max((cell_len(name) for name in ways), default=0) + 2
    cell = 8
    shown = list(sizes)
    while len(shown) > 2 and label + cell * len(shown) > width:
        shown = shown[::-1][::2][::-1] if label + cell * (len(shown) - 1) > width else shown[1:]
    lines: list[Line] = [[(" " * label, "dim"), *((f"{size_text(size):>{cell}}", "dim") for size in shown)]]
    for name, times in ways.items():
        row: list[Span] = [(f" {padded(name, label - 1)}", "text")]
        for size in shown:
            time = times.get(size)
            others = [way[size] for way in ways.values() if size in way]
            fastest = time is not None and len(others) > 1 and time == min(others)
            text = "–" if time is None else time_text(time).replace(" ", "") + ("*" if fastest else " ")
            row.append((f"{text:>{cell}}", "running" if fastest else "number" if time is not None else "dim"))
        lines.append(row)
    return lines
