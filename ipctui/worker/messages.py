"""What the workers say to each other: lines of text that tell who said them.

A message is `sender:number `, then the user's text or one letter repeated, then a newline: a stream has no edges of
its own, so the newline is the edge. Each sender repeats a letter of its own, so that a message which another
sender's bytes have torn apart can be told from a whole one. Where the size leaves no room for the name, only the
letters and the newline are sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

END = b"\n"
LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_HEADER = re.compile(rb"([a-z]{1,16}[0-9]{0,6}):([0-9]{1,19}) ")
_NUMBER = re.compile(rb"[0-9]{1,19} ")
_LONGEST_NAME = 24


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


def letter_of(number: int) -> str:
    """The letter that the sender with this number in its name repeats, where the plan says no other."""
    return chr(LETTERS[number % len(LETTERS)])


class Tally:
    """Counts messages in the bytes received: how many ended, and how many of these came in one piece.

    Args:
        letters: The letter that each sender repeats, to find torn messages by; None counts every message as whole.
            A sender of one of these kinds that joins later repeats `letter_of` its number. Costs about two
            microseconds a message.
    """

    def __init__(self, letters: Mapping[str, str] | None = None) -> None:
        self.ended = 0
        self.whole = 0
        self._pieces = None if letters is None else _Pieces(letters)
        self._rest = b""

    def add(self, data: bytes) -> None:
        """Count what these bytes end."""
        ends = data.count(END)
        self.ended += ends
        if self._pieces is None:
            self.whole += ends
            return
        if not ends:
            self._rest += data
            return
        *lines, self._rest = (self._rest + data).split(END)
        self.whole += sum(map(self._pieces.came_whole, lines))

    def add_message(self, data: bytes) -> None:
        """Count one message whose edges the channel kept; it is whole unless its end was cut off."""
        self.ended += 1
        self.whole += data.endswith(END)


class _Pieces:
    """Tells whether the message that ends a line lies behind its own header unbroken."""

    def __init__(self, letters: Mapping[str, str]) -> None:
        self._letters = {role.encode(): letter.encode() for role, letter in letters.items()}
        self._fillers = set(b"".join(self._letters.values()))
        kinds = {role.rstrip("0123456789") for role in letters}
        names = b"|".join(sorted(kind.encode() for kind in kinds))
        self._sender = re.compile(rb"(?:%s)[0-9]{0,6}\Z" % names)

    def came_whole(self, line: bytes) -> bool:
        header = self._last_header(line)
        if header is None:
            return False
        start, sender, end = header
        body = line[end:]
        letter = self._letters.get(sender) or self._meet(sender)
        if body.count(letter) == len(body):
            return True
        # The user's own text cannot be checked letter by letter: it counts as whole where it begins its line and
        # is not made of senders' letters alone.
        return start == 0 and not self._fillers.issuperset(body)

    def _meet(self, sender: bytes) -> bytes:
        """The letter of a sender that joined later."""
        number = sender[len(sender.rstrip(b"0123456789")) :]
        letter = letter_of(int(number or 1)).encode()
        self._fillers.update(letter)
        return letter

    def _last_header(self, line: bytes) -> tuple[int, bytes, int] | None:
        """Where the last header begins, its sender, where its body begins; looked for from each colon backwards."""
        colon = line.rfind(b":")
        while colon >= 0:
            number = _NUMBER.match(line, colon + 1)
            sender = self._sender.search(line, max(0, colon - _LONGEST_NAME), colon)
            if number is not None and sender is not None:
                return sender.start(), sender[0], number.end()
            colon = line.rfind(b":", 0, colon)
        return None
