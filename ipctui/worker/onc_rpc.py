"""ONC remote procedure call messages, version 2: RFC 5531. Bytes in, a message or a refusal with a name out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ipctui.worker import xdr
from ipctui.worker.xdr import Field, Reader, Shape, XdrError, unsigned

RPC_VERSION = 2
CALL, REPLY = 0, 1
MSG_ACCEPTED, MSG_DENIED = 0, 1
SUCCESS, PROG_UNAVAIL, PROG_MISMATCH, PROC_UNAVAIL, GARBAGE_ARGS, SYSTEM_ERR = range(6)
RPC_MISMATCH, AUTH_ERROR = 0, 1
AUTH_NONE, AUTH_SYS = 0, 1
AUTH_BADCRED, AUTH_REJECTEDCRED = 1, 2
MOST_AUTH = 400
"""Bytes of a credential or verifier: RFC 5531, section 8.2."""
LARGEST = 65507
"""Bytes of a message: what a UDP datagram on IPv4 carries at most (RFC 768), taken for TCP as well."""
ACCEPT_STATS = ("SUCCESS", "PROG_UNAVAIL", "PROG_MISMATCH", "PROC_UNAVAIL", "GARBAGE_ARGS", "SYSTEM_ERR")
_LAST_FRAGMENT = 1 << 31


@dataclass(frozen=True, slots=True)
class Auth:
    """A credential or a verifier: its flavor (AUTH_NONE 0, AUTH_SYS 1, …) and a body of at most 400 bytes."""

    flavor: int = AUTH_NONE
    body: bytes = b""

    def packed(self) -> bytes:
        """As it lies in a message."""
        return unsigned(self.flavor) + xdr.opaque(self.body)


NOBODY = Auth()


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its transaction's number, and what is called with which argument (bytes that the procedure decodes)."""

    xid: int
    program: int
    version: int
    procedure: int
    argument: bytes = b""
    credential: Auth = NOBODY
    verifier: Auth = NOBODY

    def packed(self) -> bytes:
        """The message: section 9."""
        words = (self.xid, CALL, RPC_VERSION, self.program, self.version, self.procedure)
        head = b"".join(map(unsigned, words))
        return head + self.credential.packed() + self.verifier.packed() + self.argument


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: accepted with a result or a reason why there is none, or denied.

    Attributes:
        status: `SUCCESS`, …; where denied, `RPC_MISMATCH` or `AUTH_ERROR`.
        result: Bytes that the caller decodes, of a success.
        low: The lowest version there is, of a mismatch; `high` the highest.
        why: The number of an authentication error.
    """

    xid: int
    status: int = SUCCESS
    result: bytes = b""
    denied: bool = False
    low: int = 0
    high: int = 0
    why: int = 0

    def packed(self) -> bytes:
        """The message: section 9."""
        head = unsigned(self.xid) + unsigned(REPLY)
        if self.denied:
            tail = unsigned(self.low) + unsigned(self.high) if self.status == RPC_MISMATCH else unsigned(self.why)
            return head + unsigned(MSG_DENIED) + unsigned(self.status) + tail
        body = self.result if self.status == SUCCESS else b""
        if self.status == PROG_MISMATCH:
            body = unsigned(self.low) + unsigned(self.high)
        return head + unsigned(MSG_ACCEPTED) + NOBODY.packed() + unsigned(self.status) + body

    @property
    def said(self) -> str:
        """What became of the call, by the RFC's name."""
        if self.denied:
            return "RPC_MISMATCH" if self.status == RPC_MISMATCH else "AUTH_ERROR"
        return ACCEPT_STATS[self.status]


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no message, and why."""

    why: str


class _BadAuthError(XdrError):
    pass


class _OtherVersionError(XdrError):
    pass


def parse(data: bytes) -> Call | Reply | Noise:
    """The message in these bytes; never raises.

    A call of another RPC version, or with a credential that is too long, is noise here; `admitted` answers it.
    """
    reader = Reader(data)
    try:
        xid, kind = reader.unsigned(), reader.unsigned()
        if kind == CALL:
            return _call(xid, reader)
        if kind == REPLY:
            return _reply(xid, reader)
        return Noise(f"a message is a call (0) or a reply (1), not {kind}")
    except XdrError as error:
        return Noise(str(error))


def admitted(data: bytes, programs: Mapping[int, tuple[int, int]]) -> Call | Reply | Noise:
    """A call that can be carried out; else the reply that it deserves, or noise, which is not answered.

    Args:
        programs: By number, the lowest and highest version that is served here.
    """
    message = _call_or_denial(data)
    if not isinstance(message, Call):
        return message
    if message.credential.flavor not in (AUTH_NONE, AUTH_SYS):
        return Reply(message.xid, AUTH_ERROR, denied=True, why=AUTH_REJECTEDCRED)
    if message.credential.flavor == AUTH_SYS and system_identity(message.credential) is None:
        return Reply(message.xid, AUTH_ERROR, denied=True, why=AUTH_BADCRED)
    versions = programs.get(message.program)
    if versions is None:
        return Reply(message.xid, PROG_UNAVAIL)
    low, high = versions
    if not low <= message.version <= high:
        return Reply(message.xid, PROG_MISMATCH, low=low, high=high)
    return message


def _call_or_denial(data: bytes) -> Call | Reply | Noise:
    reader = Reader(data)
    xid = 0
    try:
        xid, kind = reader.unsigned(), reader.unsigned()
        return _call(xid, reader) if kind == CALL else Noise("no call")
    except _OtherVersionError:
        return Reply(xid, RPC_MISMATCH, denied=True, low=RPC_VERSION, high=RPC_VERSION)
    except _BadAuthError:
        return Reply(xid, AUTH_ERROR, denied=True, why=AUTH_BADCRED)
    except XdrError as error:
        return Noise(str(error))


def _call(xid: int, reader: Reader) -> Call:
    version = reader.unsigned()
    if version != RPC_VERSION:
        raise _OtherVersionError(f"RPC version {version}")
    program, version, procedure = reader.unsigned(), reader.unsigned(), reader.unsigned()
    credential, verifier = _auth(reader), _auth(reader)
    return Call(xid, program, version, procedure, reader.data[reader.at :], credential, verifier)


def _auth(reader: Reader) -> Auth:
    flavor = reader.unsigned()
    size = Reader(reader.data, reader.at).unsigned()
    if size > MOST_AUTH:
        raise _BadAuthError(f"a credential of {size} bytes")
    return Auth(flavor, reader.opaque(MOST_AUTH))


def _reply(xid: int, reader: Reader) -> Reply | Noise:
    stat = reader.unsigned()
    if stat == MSG_DENIED:
        status = reader.unsigned()
        if status == RPC_MISMATCH:
            return Reply(xid, status, denied=True, low=reader.unsigned(), high=reader.unsigned())
        if status == AUTH_ERROR:
            return Reply(xid, status, denied=True, why=reader.unsigned())
        return Noise(f"a reply denied for reason {status}")
    if stat != MSG_ACCEPTED:
        return Noise(f"a reply is accepted (0) or denied (1), not {stat}")
    _auth(reader)
    status = reader.unsigned()
    if status == PROG_MISMATCH:
        return Reply(xid, status, low=reader.unsigned(), high=reader.unsigned())
    if status >= len(ACCEPT_STATS):
        return Noise(f"a reply accepted with status {status}")
    return Reply(xid, status, reader.data[reader.at :] if status == SUCCESS else b"")


def number_of(packet: bytes) -> int:
    """The transaction that a message belongs to: its first word; 0 for no message at all."""
    return int.from_bytes(packet[:4], "big")


def identity(call: Call, address: str) -> str:
    """Who calls: by an AUTH_SYS credential, which outlives an address; else the address."""
    said = system_identity(call.credential)
    return address if said is None else f"{said[1].decode('utf-8', 'replace')}/{said[0]}"


def system_credential(stamp: int, machine: str, uid: int = 0, gid: int = 0) -> Auth:
    """AUTH_SYS: what the caller says of itself, believed or not (RFC 5531, appendix A)."""
    words = unsigned(stamp) + xdr.string(machine.encode()[:255]) + unsigned(uid) + unsigned(gid) + unsigned(0)
    return Auth(AUTH_SYS, words)


def system_identity(credential: Auth) -> tuple[int, bytes] | None:
    """Stamp and machine of an AUTH_SYS credential; None for one that is malformed, or of another flavor."""
    if credential.flavor != AUTH_SYS:
        return None
    reader = Reader(credential.body)
    try:
        stamp, machine = reader.unsigned(), reader.string(255)
        _, _, count = reader.unsigned(), reader.unsigned(), reader.unsigned()
        if count > 16:
            return None
        for _ in range(count):
            reader.unsigned()
        reader.end()
    except XdrError:
        return None
    return stamp, machine


# Record marking, section 11: on a stream, each message is cut into fragments with a length before them.


def marked(message: bytes) -> bytes:
    """A message as one record of one fragment."""
    return unsigned(_LAST_FRAGMENT | len(message)) + message


class RecordTooLongError(ValueError):
    """A record that claims more than `LARGEST` bytes: the stream cannot be trusted any further."""


class Records:
    """Takes messages from a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._raw = b""
        self._begun = b""

    def fed(self, data: bytes) -> list[bytes]:
        """The messages that these bytes complete.

        Raises:
            RecordTooLongError: a record grows beyond `LARGEST`.
        """
        self._raw += data
        found: list[bytes] = []
        while len(self._raw) >= 4:
            mark = int.from_bytes(self._raw[:4], "big")
            size = mark & ~_LAST_FRAGMENT
            if len(self._begun) + size > LARGEST:
                raise RecordTooLongError(f"a record of {len(self._begun) + size} bytes")
            if len(self._raw) < 4 + size:
                break
            self._begun += self._raw[4 : 4 + size]
            self._raw = self._raw[4 + size :]
            if mark & _LAST_FRAGMENT:
                found.append(self._begun)
                self._begun = b""
        return found

    @property
    def unfinished(self) -> int:
        """Bytes that have come of a record whose end has not."""
        return len(self._raw) + len(self._begun)


# A message field by field, for whoever looks at it.

_CALL_SHAPE: Shape = tuple((name, "unsigned int") for name in ("xid", "type", "rpcvers", "prog", "vers", "proc"))
_AUTH_SHAPE: Shape = (
    ("cred", "unsigned int"),
    ("cred body", "opaque"),
    ("verf", "unsigned int"),
    ("verf body", "opaque"),
)
_REPLY_SHAPE: Shape = (
    *(("xid", "unsigned int"), ("type", "unsigned int"), ("reply", "unsigned int")),
    *(("verf", "unsigned int"), ("verf body", "opaque"), ("accept", "unsigned int")),
)
_NAMES = {"type": ("CALL", "REPLY"), "reply": ("ACCEPTED", "DENIED"), "accept": ACCEPT_STATS}
_NAMES |= {"cred": ("AUTH_NONE", "AUTH_SYS"), "verf": ("AUTH_NONE", "AUTH_SYS")}


def message_fields(data: bytes, argument: Shape = (), result: Shape = ()) -> list[Field]:
    """A message's fields from its first byte to its last; never raises, and says where it makes no sense."""
    reader = Reader(data)
    if data[4:8] == unsigned(REPLY):
        found = xdr.fields(reader, _REPLY_SHAPE[:3] if data[8:12] == unsigned(MSG_DENIED) else _REPLY_SHAPE)
        tail = result if found[-1].name == "accept" and found[-1].text == str(SUCCESS) else ()
    else:
        found, tail = xdr.fields(reader, (*_CALL_SHAPE, *_AUTH_SHAPE)), argument
    found += xdr.fields(reader, tail)
    if reader.left:
        found.append(Field("rest", reader.at, reader.left, f"{reader.left} bytes"))
    return [_named(field) for field in found]


def _named(field: Field) -> Field:
    names = _NAMES.get(field.name, ())
    text = field.text
    if text.isdigit() and int(text) < len(names):
        text = names[int(text)]
    elif field.name == "xid" and not text.startswith("?"):
        text = f"{int(text.replace(',', '')):08x}"
    elif field.name in ("prog",) and not text.startswith("?"):
        text = text.replace(",", "")
    return Field(field.name, field.at, field.size, text)
