"""What the workers say to each other: lines of text that tell who said them.

A message is `sender:number `, then the user's text or one letter repeated, then a newline: a stream has no edges of
its own, so the newline is the edge. Each sender repeats a letter of its own, so that a message which another
sender's bytes have torn apart can be told from a whole one. Where the size leaves no room for the name, only the
letters and the newline are sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

END = b"\n"
_HEADER = re.compile(rb"([a-z]{1,16}[0-9]{0,6}):([0-9]{1,19}) ")
_LONGEST_HEADER = 44


@dataclass(frozen=True, slots=True)
class Envelope:
    """The beginning of a message: who sent it and its number, from 1."""

    sender: str
    number: int

    @property
    def id(self) -> str:
        """`sender:number`, as records name a message."""
        return f"{self.sender}:{self.number}"


def envelope(data: bytes) -> Envelope | None:
    """The envelope that `data` begins with, or None: foreign bytes, or the middle of a message."""
    found = _HEADER.match(data[:64])
    return Envelope(found[1].decode(), int(found[2])) if found else None


def filled(sender: str, number: int, size: int, letter: bytes) -> bytes:
    """A message of exactly `size` bytes (1 at least)."""
    header = b"%s:%d " % (sender.encode(), number)
    if len(header) >= size:
        return letter * (size - 1) + END
    return header + letter * (size - len(header) - 1) + END


def injected(sender: str, number: int, text: bytes) -> bytes:
    """A message that carries the user's bytes, as long as they are."""
    return b"%s:%d %s\n" % (sender.encode(), number, text)


def lines_of(text: bytes) -> list[bytes]:
    """The user's bytes as messages: a newline inside would end one, so each line is a message of its own."""
    return text.split(END) if END in text else [text]


class Tally:
    """Counts messages in the bytes received: how many ended, and how many of these came in one piece.

    Args:
        pieces: Also find torn messages; costs about a microsecond a message.
    """

    def __init__(self, pieces: bool) -> None:
        self.ended = 0
        self.whole = 0
        self._pieces = pieces
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Count what these bytes end."""
        ends = data.count(END)
        self.ended += ends
        if not self._pieces:
            self.whole += ends
            return
        if not ends:
            self._rest += data
            return
        *lines, self._rest = (self._rest + data).split(END)
        self.whole += sum(map(came_whole, lines))


def came_whole(line: bytes) -> bool:
    """Whether the message that ended here lies behind its own header unbroken."""
    header = _last_header(line)
    if header is None:
        return False
    start, end = header
    body = line[end:]
    return body.count(body[:1]) == len(body) or (start == 0 and _is_text(body))


def _last_header(line: bytes) -> tuple[int, int] | None:
    """Where the last header begins and ends. Looked for around colons: a search along the letters would be slow."""
    colon = line.rfind(b":")
    while colon >= 0:
        first = max(0, colon - _LONGEST_HEADER // 2)
        found = _HEADER.search(line, first, colon + _LONGEST_HEADER // 2)
        if found is not None and found.end(1) == colon:
            return found.start(), found.end()
        colon = line.rfind(b":", 0, colon)
    return None


def _is_text(body: bytes) -> bool:
    # The user's own text cannot be checked letter by letter: it counts as whole where it begins its line.
    return len(set(body)) > 3
