"""ALPC's pane: the handshake, the three ways by size with their copies and times, the ports and the sections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.mechanisms.alpc.caption import caption, latest, medians, parameter, rows, variant
from ipctui.mechanisms.alpc.handshake import STEPS
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.sizes import size_lines, time_text
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.standin import Part, StandIn, rules_line, standin_lines, title_span
from ipctui.widgets.view import Offer, View

STANDIN = StandIn(
    "ALPC",
    (
        Part("port", {"en": "SEQPACKET end", "ko": "SEQPACKET 종단"}),
        Part("handle", {"en": "SCM_RIGHTS fd", "ko": "SCM_RIGHTS로 온 fd"}),
        Part("section", {"en": "sealed memfd", "ko": "봉인한 memfd"}),
        Part(
            "direct access", {"en": "process_vm_readv, process_vm_writev", "ko": "process_vm_readv, process_vm_writev"}
        ),
        Part("connection port", {"en": "a listening abstract address", "ko": "listen하는 추상 주소"}),
    ),
    (
        {
            "en": "private ports",
            "ko": "사적인 포트",
            "en+": "who holds a handle of a port can use it, and nobody else: there is no name to open",
            "ko+": "핸들을 쥔 프로세스만 포트를 쓴다. 열 수 있는 이름이 없다",
        },
        {
            "en": "seals",
            "ko": "봉인",
            "en+": "a section sealed with F_SEAL_SHRINK does not shrink under its reader",
            "ko+": "F_SEAL_SHRINK로 봉인한 섹션은 읽는 쪽 밑에서 줄지 않는다",
        },
        {
            "en": "EPERM on memory",
            "ko": "메모리 EPERM",
            "en+": "another process's memory is read with ptrace(2)'s permission or not at all (EPERM)",
            "ko+": "남의 메모리는 ptrace(2)의 권한이 있어야 읽는다(EPERM)",
        },
        {
            "en": "hang-up at death",
            "ko": "죽으면 끊김",
            "en+": "a port hangs up when its last holder ends, however it ends",
            "ko+": "쥔 쪽이 어떻게 끝나든 마지막이 끝나면 포트가 끊긴다",
        },
        {
            "en": "message edges",
            "ko": "메시지 경계",
            "en+": "a message arrives whole, with its handles, or not at all",
            "ko+": "메시지는 핸들과 함께 통째로 오거나 오지 않는다",
        },
    ),
    (
        {
            "en": "thresholds",
            "ko": "문턱",
            "en+": "which way a message takes by its size is the client's own decision",
            "ko+": "크기에 따라 어느 길로 갈지는 클라이언트가 정한다",
        },
        {
            "en": "ask first",
            "ko": "먼저 요청",
            "en+": "a client asks at the connection port before it sends, and the server answers",
            "ko+": "보내기 전에 연결 포트로 요청하고 서버가 답한다",
        },
        {
            "en": "one answer a message",
            "ko": "메시지마다 답 하나",
            "en+": "every message is answered once, so a port never holds more than one",
            "ko+": "메시지마다 한 번 답하므로 포트에는 하나만 있다",
        },
    ),
    (
        {
            "en": "ACLs",
            "ko": "ACL",
            "en+": "security descriptors on ports: whoever may connect is asked, and the server decides",
            "ko+": "포트의 보안 설명자. 여기서는 누구나 요청하고 서버가 정한다",
        },
        {
            "en": "completion lists, asynchronous receive",
            "ko": "비동기 수신",
            "en+": "completion lists and asynchronous receiving",
            "ko+": "완료 목록과 비동기 수신",
        },
    ),
)
_WORDS = {
    "copies": "복사",
    "copy": "복사",
    "by the kernel": "커널이",
    "by the programs": "프로그램이",
    "handshake": "핸드셰이크",
    "asked": "요청",
    "heard": "들음",
    "pair made": "쌍 생성",
    "handle sent": "핸들 보냄",
    "has its port": "포트 얻음",
    "port": "포트",
    "section": "섹션",
    "direct": "직접 읽기",
    "pieces": "조각",
    "copied": "복사",
    "refused": "거절됨",
    "no server": "서버 없음",
    "no section": "섹션 없음",
    "mapped by": "매핑:",
    "sealed": "봉인됨",
    "NOT SEALED": "봉인 안 됨",
    "never by the kernel": "커널은 0",
    "in pieces": "나누어",
    "small path": "작은 경로",
    "bare round trip": "맨 소켓 왕복",
    "textbook": "교재 값",
}
_STEP_WORDS = {
    "connect": "asked",
    "accept": "heard",
    "pair": "pair made",
    "handle": "handle sent",
    "port": "has its port",
}
_LIT, _OFF = "▶", "·"


def _word(language: str, text: str) -> str:
    return _WORDS.get(text, text) if language == "ko" else text


def _pairs(state: LabState) -> list[Channel]:
    return [held.now for held in state.channels.values() if held.now.facts.get("pair") and not held.now.closed]


def _sections(state: LabState) -> list[Channel]:
    return [held.now for held in state.channels.values() if held.now.facts.get("section") and not held.now.closed]


def _way_lines(state: LabState, view: View) -> list[Line]:
    """The three ways, the one taken now lit, with copies, the latest message and its time."""
    small, section = parameter(state, "small", 256), parameter(state, "section", 4096)
    language, now = view.language, latest(state)
    ways: dict[str, dict[str, Any]] = state.facts.get("ways", {})
    table = (
        ("port", f"to {grouped(small)} B", "2", "by the kernel"),
        ("section", f"to {grouped(section)} B", "2", "by the programs"),
        ("direct", f"> {grouped(section)} B", "1", "by the kernel"),
    )
    lines: list[Line] = []
    for name, limit, copies, who in table:
        taken = now is not None and now["way"] == name
        row = ways.get(name)
        measured = f"{time_text(row['last'])}  {grouped(row['size'])} B  ×{grouped(row['count'])}" if row else "–"
        said = f"{copies} {_word(language, 'copy' if copies == '1' else 'copies')} {_word(language, who)}"
        mark = (f" {_LIT if taken else _OFF} ", "running" if taken else "dim")
        line: list[Span] = [mark, (padded(f"{_word(language, name)} {limit}", 20), "text" if taken else "dim")]
        line += [(padded(said, 27), "text" if taken else "dim"), (measured, "number" if row else "dim")]
        lines.append(line)
    if now is not None and now["way"] == "pieces":
        row = ways.get("pieces", {"last": 0, "count": 0})
        why = state.facts.get("why", "")
        text = f" {_LIT} {_word(language, 'pieces')}: {why}  {time_text(row['last'])}  ×{grouped(row['count'])}"
        lines[2 if why != "unsealed" else 1] = [(text, "error")]
    return lines


def _handshake_line(state: LabState, view: View) -> Line:
    """The steps of the handshake that is, or was, latest: what is done, and when."""
    language = view.language
    made: dict[str, dict[str, Any]] = state.facts.get("made", {})
    if not made:
        return [(f" {_word(language, 'handshake')} –", "dim")]
    role, one = max(made.items(), key=lambda item: item[1]["t"])
    steps: dict[str, int] = one["steps"]
    first = min(steps.values(), default=0)
    line: list[Span] = [(f" {_word(language, 'handshake')} {role} ", "title")]
    refused = one["outcome"] in ("refused", "no server")
    for name in STEPS:
        at = steps.get(name)
        if at is None and refused:
            continue  # it will not come
        shown = _word(language, _STEP_WORDS[name])
        if at is None:
            line.append((f"○{shown} ", "dim"))
        else:
            passed = f" {time_text(at - first)}" if name == "port" else ""
            line.append((f"●{shown}{passed} ", "text"))
    if refused:
        line.append((f"× {_word(language, one['outcome'])}", "error"))
    return line


def _pair_text(channel: Channel, short: bool = False) -> str:
    """`server 5↔client 4`; in short, where all have one server, `client 4↔5`."""
    ends = channel.facts["ends"]
    fds = "↔".join(f"{end['process']} {end['fd']}" for end in ends)
    if short:
        client = ends[1]["fd"] if len(ends) > 1 else "?"
        fds = f"{channel.facts['client']} {client}↔{ends[0]['fd']}"
    waiting = sum(end["messages"] or 0 for end in ends)
    return f"{fds}" + (f" ▮{waiting}" if waiting else "")


def _objects_line(state: LabState, view: View, width: int) -> Line:
    """The private pairs and the sections: who holds which end, who has it mapped."""
    language = view.language
    line: list[Span] = []
    used = 0
    for channel in _pairs(state):
        text = f" {_pair_text(channel)} "
        if used + cell_len(text) > width - 6:
            line.append((f"+{len(_pairs(state)) - len(line)}", "warning"))
            return line
        line.append((text, "text"))
        used += cell_len(text)
    for channel in _sections(state)[:2]:
        sealed = bool(channel.facts["seals"] & 2)
        who = ",".join(channel.facts["mapped"])
        text = f" {_word(language, 'section')} {grouped(channel.capacity or 0)} B "
        text += f"{_word(language, 'sealed' if sealed else 'NOT SEALED')}, {_word(language, 'mapped by')} {who or '–'}"
        if used + cell_len(text) <= width:
            line.append((text, "text" if sealed else "error"))
            used += cell_len(text)
    return line or [(f" {_word(language, 'no section')}", "dim")]


def _pair_lines(state: LabState, width: int, height: int) -> list[Line]:
    """Every private pair, as many to a line as fit; how many there was no room for."""
    lines: list[list[Span]] = [[]]
    used, pairs = 0, _pairs(state)
    for place, channel in enumerate(pairs):
        text = f" {padded(_pair_text(channel, True), 14)}"
        last, left = len(lines) >= height, len(pairs) - place
        if used and used + cell_len(text) > width - (5 if last and left > 1 else 0):
            if last:
                lines[-1].append((f" +{left}", "warning"))
                break
            lines.append([])
            used = 0
        lines[-1].append((text, "text"))
        used += cell_len(text)
    return [*lines]


def _measure_lines(state: LabState, view: View, width: int) -> list[Line]:
    """Times by size and way."""
    language, ways = view.language, medians(state)
    sizes = sorted({row["size"] for row in rows(state) if row["way"] in ("copied", "section", "direct")})
    named = {_word(language, name): ways.get(name, {}) for name in ("copied", "section", "direct")}
    return list(size_lines(named, sizes, width))


def _ratio(state: LabState, view: View) -> Span | None:
    """The small path against a bare round trip, where both are measured."""
    language, ways = view.language, medians(state)
    port, bare = ways.get("port", {}), ways.get("bare", {})
    both = sorted(set(port) & set(bare))
    if not both:
        return None
    mine, plain = port[both[0]], bare[both[0]]
    text = f"{_word(language, 'small path')} {time_text(mine)} / {_word(language, 'bare round trip')} "
    return (f"{text}{time_text(plain)} = {mine / max(plain, 1):.2f}", "number")


def boxes(state: LabState, view: View) -> Sequence[Box]:
    """One box across the pane: ways or measures, handshake, ports and sections, and who keeps which rule."""
    if not state.processes:
        return ()

    def lines(width: int, height: int) -> Sequence[Line]:
        body = _measure_lines(state, view, width) if variant(state) == "measure" else _way_lines(state, view)
        handshake, objects = _handshake_line(state, view), _objects_line(state, view, width)
        asked = variant(state) in ("connect", "refused")
        middle = [handshake, *body] if asked else [*body, objects, handshake]
        if variant(state) == "many-clients":
            lit = [line for line in body if line and line[0][0].strip() == _LIT] or body[:1]
            middle = [*lit, *_pair_lines(state, width, max(1, height - 1 - len(lit))), handshake]
        rules = rules_line(STANDIN, view.language, width)
        return [*middle[: height - 1], rules]

    def contents(width: int, height: int) -> Sequence[Line]:
        return [*_contents(state, view, width), [], *standin_lines(STANDIN, view.language, width)]

    title: list[Span] = [("ALPC ", "title"), _ratio(state, view) or title_span(STANDIN, view.language, 71)]
    return (Box(title, lines, contents, wish=7),)


def _contents(state: LabState, view: View, width: int) -> list[Line]:
    """Every object in full: its ends, what waits, its first bytes; every time measured."""
    language = view.language
    lines: list[Line] = []
    for held in state.channels.values():
        channel = held.now
        if channel.closed:
            continue
        if channel.facts.get("door"):
            facts = channel.facts
            lines.append(
                [(f"{channel.name} ", "title"), (f"{facts['process']} {facts['fd']} {facts['object']}", "text")]
            )
        elif channel.facts.get("pair"):
            lines.append([(f"{channel.facts['client']}: ", "title"), (_pair_text(channel), "text")])
            for end in channel.facts["ends"]:
                text = f"  {end['process']} {end['fd']} {end['object']}  {end['waiting']} B"
                lines.append([(text, "text")])
            lines += [
                [(f'  {item.size:>5} B "{item.text}"', "message" if item.id else "foreign")] for item in channel.items
            ]
            lines += hex_lines(bytes.fromhex(channel.head)[:64], width)
        elif channel.facts.get("section"):
            facts = channel.facts
            mapped = "  ".join(f"{role} {' '.join(places)}" for role, places in facts["mapped"].items())
            text = f"{channel.object} {grouped(channel.capacity or 0)} B seals {facts['seals']:#x}  "
            lines.append([(text, "title"), (f"{_word(language, 'mapped by')} {mapped}", "number")])
    for row in rows(state):
        text = f"{row['process']:<9}{row['way']:<8}{grouped(row['size']):>12} B  ×{grouped(row['count']):<8}"
        times = f"{time_text(row['median']):>9}  {time_text(row['least']):>9}  {time_text(row['last']):>9}"
        lines.append([(text, "text"), (times, "number")])
    return lines


def _other(name: str, one: str, two: str) -> Any:
    def command(state: LabState, view: View) -> str:
        return f"set {name} {two if parameter(state, name, one) == one else one}"

    return command


PANE = Stage(boxes, caption, "wide", below=4).pane(
    Path(__file__).parent,
    "what stands for what, every port, section and time",
    Offer("6", "shrink", "try to cut the section under its reader", command=lambda state, view: "shrink"),
    Offer(
        "7",
        "permission",
        "direct reading granted or withheld; restarts",
        command=_other("permission", "granted", "withheld"),
    ),
    Offer("8", "seals", "the client seals its section or not; restarts", command=_other("seals", "on", "off")),
    Offer("9", "first call", "restart held, to step from the first call on", command=lambda s, v: "restart held"),
)
