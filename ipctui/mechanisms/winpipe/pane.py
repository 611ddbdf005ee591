"""The pane of Windows pipes: the table of handles, or sends and reads of each client and its instance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.winpipe.caption import caption, is_anonymous, parameter, place
from ipctui.mechanisms.winpipe.memory import lost
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.gauge import contents_lines
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.standin import Part, StandIn, rules_line, standin_lines, title_span
from ipctui.widgets.view import Offer, View

ANONYMOUS = StandIn(
    "Windows anonymous pipe",
    (
        Part("handle", {"en": "descriptor", "ko": "디스크립터"}),
        Part("inheritable", {"en": "close-on-exec off", "ko": "close-on-exec 꺼짐"}),
        Part("CreateProcess", {"en": "fork + execve", "ko": "fork + execve"}),
        Part("ReadFile, WriteFile", {"en": "read, write", "ko": "read, write"}),
    ),
    (
        {
            "en": "end of file",
            "ko": "파일 끝",
            "en+": "read returns 0 when the last write end is closed, and not before",
            "ko+": "마지막 쓰기 종단이 닫혀야 read가 0을 돌려준다",
        },
        {
            "en": "withheld at exec",
            "ko": "exec 때 닫음",
            "en+": "execve closes every descriptor that is marked close-on-exec",
            "ko+": "execve는 close-on-exec인 디스크립터를 모두 닫는다",
        },
    ),
    (
        {
            "en": "off by default",
            "ko": "기본은 상속 안 함",
            "en+": "a handle is made not inheritable, and stated inheritable one by one",
            "ko+": "핸들은 상속하지 않게 만들고 하나씩 상속한다고 밝힌다",
        },
        {
            "en": "numbers told on the command line",
            "ko": "번호는 명령줄로 알림",
            "en+": "the child is told the numbers of its handles on its command line",
            "ko+": "자식은 핸들 번호를 명령줄로 안다",
        },
    ),
    (
        {
            "en": "CreateProcess",
            "ko": "CreateProcess",
            "en+": "CreateProcess as one step: fork and execve are two, and between them the child has all handles",
            "ko+": "한 번에 하는 CreateProcess. fork와 execve 사이에 자식은 모두 가진다",
        },
        {
            "en": "a child that never has them all: fork copies every handle",
            "ko": "전부를 가진 적 없는 자식: fork는 모두 복사한다",
        },
        {"en": "bInheritHandles for one child alone", "ko": "자식별 bInheritHandles"},
    ),
)
NAMED = StandIn(
    "Windows named pipe",
    (
        Part("named pipe", {"en": "socket pair", "ko": "소켓 쌍"}),
        Part("byte mode", {"en": "STREAM", "ko": "STREAM"}),
        Part("message mode", {"en": "SEQPACKET", "ko": "SEQPACKET"}),
        Part("ConnectNamedPipe", {"en": "accept", "ko": "accept"}),
        Part("CreateFile", {"en": "connect", "ko": "connect"}),
        Part("WaitNamedPipe", {"en": "the wait for an instance's greeting", "ko": "인스턴스의 인사를 기다림"}),
    ),
    (
        {
            "en": "full duplex",
            "ko": "전이중",
            "en+": "both sides send and receive on one object at the same time",
            "ko+": "한 객체로 양쪽이 동시에 주고받는다",
        },
        {
            "en": "edges in message mode",
            "ko": "메시지 모드의 경계",
            "en+": "SEQPACKET keeps the edges of messages, a stream does not",
            "ko+": "SEQPACKET은 메시지의 경계를 지키고 STREAM은 아니다",
        },
        {
            "en": "one client an instance",
            "ko": "인스턴스마다 하나",
            "en+": "a connection has one client; others wait in the name's queue, then in connect",
            "ko+": "연결 하나에 클라이언트 하나. 나머지는 대기열과 connect에서 기다린다",
        },
    ),
    (
        {
            "en": "rest of a short read",
            "ko": "짧은 읽기의 나머지",
            "en+": "the rest of a message that is longer than the buffer: peeked at first and kept by us",
            "ko+": "버퍼보다 긴 메시지의 나머지. 먼저 길이를 묻고 우리가 간직한다",
        },
        {
            "en": "greeting",
            "ko": "인사",
            "en+": "an instance greets who it serves, for connect returns before anybody accepts",
            "ko+": "connect는 accept보다 먼저 돌아오므로 인스턴스가 인사한다",
        },
    ),
    (
        {"en": "ACLs", "ko": "ACL"},
        {"en": "impersonation, pipes over the network", "ko": "가장, 네트워크 너머의 파이프"},
    ),
)
_WORDS = {
    "inheritable": "상속함",
    "not inheritable": "상속 안 함",
    "child has it": "child가 가짐",
    "withheld": "막힘",
    "copied by fork, exec to come": "fork가 복사, exec 전",
    "closed by child": "child가 닫음",
    "LEAKED": "샜다",
    "byte mode": "바이트 모드",
    "message mode": "메시지 모드",
    "instances taken": "인스턴스 사용 중",
    "waiting": "대기:",
    "sends": "보냄",
    "reads": "읽음",
    "read end": "읽기 종단",
    "write end": "쓰기 종단",
    "settings": "settings",
    "log": "log",
    "bytes lost": "바이트 잃음",
    "fork": "fork",
    "in the pipe": "파이프 안",
}


def _word(language: str, text: str) -> str:
    return _WORDS.get(text, text) if language == "ko" else text


def _handle_lines(state: LabState, view: View) -> list[Line]:
    """A line a handle of the parent's: what was stated, and what became of it in the child."""
    language = view.language
    had: dict[str, str] = state.facts.get("had", {})
    executed = bool(state.facts.get("executed"))
    child = state.processes.get("child")
    over = child is None or child.exited is not None
    lines: list[Line] = []
    for fd, one in state.facts.get("handles", {}).items():
        stated = "inheritable" if one["inherit"] else "not inheritable"
        if not executed:
            fate, role = "copied by fork, exec to come", "dim"
        elif not one["inherit"]:
            fate, role = "withheld", "blocked"
        elif fd in had:
            leaked = one["what"] == "write end"
            fate, role = ("LEAKED", "error") if leaked else ("child has it", "running")
        else:
            fate, role = "closed by child", "dim"
        mark = {"withheld": "×", "child has it": "→", "LEAKED": "→"}.get(fate, "·")
        shown = f"{_word(language, fate)}{f' {fd}' if fate in ('child has it', 'LEAKED') and not over else ''}"
        lines.append(
            [
                (f" {fd:>2} ", "number"),
                (padded(_word(language, one["what"]), 12), "title"),
                (padded(_word(language, stated), 18), "text"),
                (f"{mark} {shown}", role),
            ]
        )
    return lines


def _talk_lines(state: LabState, view: View, height: int = 99) -> list[Line]:
    """A line a client: sizes of its latest sends, and of its instance's latest reads."""
    language, talks, reads = view.language, state.facts.get("talks", {}), state.facts.get("reads", {})
    waiting = place(state).get("waiting", [])
    living = [role for role, process in state.processes.items() if role.startswith("client") and process.exited is None]
    if len(living) > 1:
        return _several(living, talks, waiting, language, height)
    lines: list[Line] = []
    for role in living:
        talk = talks.get(role)
        line: list[Span] = [(f" {padded(role, 9)}", "title")]
        if role in waiting:
            line.append((f"■ {_word(language, 'waiting')} WaitNamedPipe", "blocked"))
        elif talk is not None and talk["instance"]:
            sizes, got = talk["sends"], reads.get(talk["instance"], [])
            line += [(f"{_word(language, 'sends')} {' '.join(map(str, sizes)) or '–'}", "number")]
            line += [(f" ↔ {talk['instance']} ", "text")]
            line += [(f"{_word(language, 'reads')} {' '.join(_parts(state, size) for size in got) or '–'}", "number")]
        lines.append(line)
    if len(lines) == 1 and talks:
        talk = next(iter(talks.values()))
        lines += [
            _pieces(language, "sends", talk["sends"]),
            _pieces(language, "reads", reads.get(talk["instance"], [])),
        ]
    return lines


def _several(
    living: Sequence[str], talks: dict[str, dict[str, Any]], waiting: Sequence[str], language: str, height: int
) -> list[Line]:
    """Who has which instance and who waits for one, three clients a line, those that wait first; how many are left."""
    spans: list[Span] = []
    for role in sorted(living, key=lambda role: role not in waiting):
        talk = talks.get(role)
        if role in waiting:
            spans.append((padded(f" {role} ■ WaitNamedPipe", 26), "blocked"))
        else:
            instance = talk["instance"] if talk is not None else ""
            spans.append((padded(f" {role} ↔ {instance or '–'}", 26), "text" if instance else "dim"))
    room = 3 * max(1, height)
    if len(spans) > room:
        spans = [*spans[: room - 1], (f" +{len(spans) - room + 1}", "warning")]
    return [spans[place : place + 3] for place in range(0, len(spans), 3)]


def _parts(state: LabState, size: int) -> str:
    """A message as it is handed out: `40+24` where the reader's buffer has 40 bytes."""
    room = int(parameter(state, "buffer", 4096))
    if parameter(state, "mode", "byte") != "message" or size <= room:
        return str(size)
    whole, rest = divmod(size, room)
    return "+".join([*[str(room)] * min(whole, 3), *(["…"] if whole > 3 else []), *([str(rest)] if rest else [])])


def _pieces(language: str, what: str, sizes: Sequence[int]) -> Line:
    """Sizes as boxes to one scale, so that edges can be seen: three small ones, or one of all their bytes."""
    scale = max(8, max(sizes, default=8) // 24, sum(sizes) // 54)
    drawn = "".join("[" + "█" * max(1, size // scale - 1) + "]" for size in sizes)
    return [(f"   {padded(_word(language, what), 7)}", "dim"), (drawn or "–", "fill" if drawn else "dim")]


def _name_line(state: LabState, view: View) -> Line:
    """The name: its mode, how many of its instances are taken, what short reads have lost."""
    language, now = view.language, place(state)
    if not now:
        return [(" –", "dim")]
    mode = f"{now['mode']} mode"
    line: list[Span] = [(" \\\\.\\pipe\\demo ", "title"), (f"{_word(language, mode)} · ", "text")]
    line.append((f"{len(now['taken'])}/{len(now['instances'])} {_word(language, 'instances taken')}", "number"))
    if now.get("strangers"):
        line += [(f" · {who} ↔ {role}", "foreign") for role, who in now["strangers"].items()]
    elif now["mode"] == "message":
        room = parameter(state, "buffer", 4096)
        if parameter(state, "peek", "on") == "off":
            line.append((f" · {grouped(lost(state.facts))} {_word(language, 'bytes lost')}", "error"))
        else:
            line.append((f" · ReadFile {grouped(room)} B", "text"))
    return line


def _pipe_line(state: LabState, view: View) -> Line:
    """The anonymous pipe's fill, and who holds its ends."""
    pipe = next((held.now for held in state.channels.values() if held.now.type == "pipe" and not held.now.closed), None)
    if pipe is None:
        return [(" ✝", "dim")]
    fill = f" {pipe.object} {grouped(pipe.used or 0)}/{grouped(pipe.capacity or 0)} B "
    return [(fill, "number"), (f"▸ {', '.join(pipe.writers) or '–'}  ◂ {', '.join(pipe.readers) or '–'}", "text")]


def boxes(state: LabState, view: View) -> Sequence[Box]:
    """One box across the pane: handles, or talks; and who keeps which rule."""
    if not state.processes:
        return ()
    standin = ANONYMOUS if is_anonymous(state) else NAMED

    def lines(width: int, height: int) -> Sequence[Line]:
        if is_anonymous(state):
            body = [*_handle_lines(state, view), _pipe_line(state, view)]
        else:
            body = [_name_line(state, view), *_talk_lines(state, view, height - 2)]
        return [*body[: height - 1], rules_line(standin, view.language, width)]

    def contents(width: int, height: int) -> Sequence[Line]:
        return [*_contents(state, view, width), [], *standin_lines(standin, view.language, width)]

    return (Box([title_span(standin, view.language, 76)], lines, contents, wish=7),)


def _contents(state: LabState, view: View, width: int) -> list[Line]:
    """Every object in full."""
    lines: list[Line] = [*(_handle_lines(state, view) if is_anonymous(state) else _talk_lines(state, view)), []]
    for held in state.channels.values():
        channel = held.now
        if channel.closed:
            continue
        if channel.type == "pipe":
            lines += contents_lines(channel, view, False, width, 14)
        elif channel.facts.get("pair"):
            lines += _pair_lines(channel, width)
        else:
            facts = channel.facts
            lines.append([(f"{facts['name']} {facts['object']} ", "title"), (", ".join(facts["instances"]), "text")])
    return lines


def _pair_lines(channel: Channel, width: int) -> list[Line]:
    lines: list[Line] = [[(f"{channel.name} ", "title")]]
    for end in channel.facts["ends"]:
        count = "" if end["messages"] is None else f" ×{end['messages']}"
        lines.append([(f"  {end['process']} {end['fd']} {end['object']}  {grouped(end['waiting'])} B{count}", "text")])
    lines += [[(f'  {item.size:>6} B "{item.text}"', "message" if item.id else "foreign")] for item in channel.items]
    return [*lines, *hex_lines(bytes.fromhex(channel.head)[:64], width)] if channel.head else lines


def _other(name: str, one: str, two: str) -> Any:
    def command(state: LabState, view: View) -> str:
        return f"set {name} {two if parameter(state, name, one) == one else one}"

    return command


PANE = Stage(boxes, caption, "wide", below=4).pane(
    Path(__file__).parent,
    "what stands for what, every handle and pipe",
    Offer("6", "mode", "byte or message mode (named); restarts", command=_other("mode", "byte", "message")),
    Offer(
        "7", "peek", "ask for a message's length first, or lose the rest; restarts", command=_other("peek", "on", "off")
    ),
    Offer(
        "8",
        "leak",
        "state the write end inheritable, or not (anonymous); restarts",
        command=_other("leak", "off", "on"),
    ),
    Offer("9", "first call", "restart held: step over fork and execve", command=lambda state, view: "restart held"),
)
