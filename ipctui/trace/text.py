"""Bytes made fit to be seen: nothing that a message holds may reach a terminal unescaped or be read as markup."""

from __future__ import annotations

import unicodedata

_PICTURES = {code: chr(0x2400 + code) for code in range(32)} | {0x7F: "\u2421"}
_PICTURES |= dict.fromkeys(range(0x80, 0xA0), "\ufffd")
_INVISIBLE = ("Cf", "Zl", "Zp", "Cs", "Co", "Cn")
_SHOWN = 32
_C_ESCAPES = {0x09: "\\t", 0x0A: "\\n", 0x0B: "\\v", 0x0C: "\\f", 0x0D: "\\r"}


def visible(text: str) -> str:
    """Text with control characters as control pictures (U+2400 and on) and what has no shape as U+FFFD."""
    text = text.translate(_PICTURES)
    if text.isascii():
        return text
    return "".join("\ufffd" if unicodedata.category(char) in _INVISIBLE and char != "\u200d" else char for char in text)


def readable(data: bytes, most: int = 80) -> str:
    """Bytes as text for people: UTF-8 where it is, control pictures, cut after `most` bytes with an ellipsis."""
    cut = data[:most]
    text = cut.decode("utf-8", "replace" if len(data) <= most else "ignore")
    return visible(text) + ("…" if len(data) > most else "")


def strace_string(data: bytes, size: int, shown: int = _SHOWN) -> str:
    """Bytes as strace(1) prints them: quoted, C escapes, octal for the rest, "…" after `shown` bytes of `size`."""
    cut = data[:shown]
    more = "..." if size > len(cut) else ""
    if cut.isascii() and (plain := cut.decode()).isprintable() and '"' not in plain and "\\" not in plain:
        return f'"{plain}"{more}'
    parts = []
    for index, byte in enumerate(cut):
        if byte in (0x22, 0x5C):
            parts.append("\\" + chr(byte))
        elif 0x20 <= byte < 0x7F:
            parts.append(chr(byte))
        elif byte in _C_ESCAPES:
            parts.append(_C_ESCAPES[byte])
        else:
            followed = index + 1 < len(cut) and 0x30 <= cut[index + 1] <= 0x37
            parts.append(f"\\{byte:03o}" if followed else f"\\{byte:o}")
    return '"' + "".join(parts) + '"' + more


def grouped(number: int) -> str:
    """A whole number with its thousands grouped: 32,784."""
    return f"{number:,}"


def duration(nanoseconds: int) -> str:
    """A time for people, in a unit that keeps it short: 9 µs, 41 ms, 2.4 s, 3:07 min."""
    if nanoseconds < 1_000_000:
        return f"{max(nanoseconds, 0) // 1000} µs"
    if nanoseconds < 1_000_000_000:
        return f"{nanoseconds // 1_000_000} ms"
    seconds = nanoseconds / 1e9
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return f"{round(seconds) // 60}:{round(seconds) % 60:02d} min"


def clock_face(nanoseconds: int) -> str:
    """A time since zero as minutes, seconds and tenths: 00:12.4."""
    tenths = max(nanoseconds, 0) // 100_000_000
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
