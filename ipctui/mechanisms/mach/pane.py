"""Mach's pane: the port's queue, and which task has which rights of which port behind which descriptor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len

from ipctui.lab.state import LabState
from ipctui.mechanisms.mach.caption import caption, medians, parameter, ports, variant
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span, padded
from ipctui.widgets.hexdump import hex_lines
from ipctui.widgets.sizes import size_lines
from ipctui.widgets.stage import Box, Stage
from ipctui.widgets.standin import Part, StandIn, rules_line, standin_lines, title_span
from ipctui.widgets.view import Offer, View

STANDIN = StandIn(
    "Mach",
    (
        Part("port", {"en": "SEQPACKET pair", "ko": "SEQPACKET 쌍"}),
        Part("right", {"en": "descriptor, passed by SCM_RIGHTS", "ko": "SCM_RIGHTS로 건네는 fd"}),
        Part(
            "receive right",
            {"en": "the end that bears the name, shut for sending", "ko": "이름 붙은, 보내기를 닫은 종단"},
        ),
        Part(
            "send right",
            {"en": "a copy of the other end, shut for receiving", "ko": "반대쪽 종단의 복사본, 받기를 닫음"},
        ),
        Part("kernel", {"en": "a worker behind the task-self ports", "ko": "task-self 포트 뒤의 워커"}),
        Part("out-of-line memory", {"en": "a memfd that the receiver maps", "ko": "받는 쪽이 매핑하는 memfd"}),
        Part("dead name", {"en": "a send right whose pair has hung up (EPIPE)", "ko": "상대가 끊긴 송신 권한(EPIPE)"}),
    ),
    (
        {
            "en": "no right, no send",
            "ko": "권한 없이는 못 보냄",
            "en+": "who has no send right has no descriptor, and so nothing to send by",
            "ko+": "송신 권한이 없으면 디스크립터도 없어 보낼 수 없다",
        },
        {
            "en": "bounded queue",
            "ko": "유한 큐",
            "en+": "a port's queue is bounded, in bytes of kernel memory: senders sleep at it",
            "ko+": "포트의 큐는 커널 메모리의 바이트로 유한하고, 차면 보내는 쪽이 잔다",
        },
        {
            "en": "FIFO",
            "ko": "FIFO",
            "en+": "messages of one port leave in the order in which they came",
            "ko+": "한 포트의 메시지는 들어온 순서대로 나간다",
        },
        {
            "en": "dead names",
            "ko": "죽은 이름",
            "en+": "sending to a port whose receive right is gone fails (EPIPE)",
            "ko+": "수신 권한이 사라진 포트로 보내면 실패한다(EPIPE)",
        },
        {
            "en": "no-senders",
            "ko": "no-senders",
            "en+": "the kernel hangs a port up when its last send right is gone (POLLHUP)",
            "ko+": "마지막 송신 권한이 사라지면 커널이 포트를 끊는다(POLLHUP)",
        },
        {"en": "send or receive, never both, by one right", "ko": "한 권한은 한 방향"},
    ),
    (
        {
            "en": "one receiver",
            "ko": "수신자 하나",
            "en+": "only one task holds the receive right; a descriptor could be copied, and we do not",
            "ko+": "수신 권한은 한 태스크만 쥔다. 복사할 수 있지만 하지 않는다",
        },
        {
            "en": "send-once",
            "ko": "send-once",
            "en+": "a right to answer by is closed after its first use",
            "ko+": "답할 권한은 한 번 쓰고 닫는다",
        },
        {
            "en": "what moved is closed",
            "ko": "옮긴 권한은 닫음",
            "en+": "a right that was given away is closed by its giver; SCM_RIGHTS copies",
            "ko+": "건넨 권한은 준 쪽이 닫는다. SCM_RIGHTS는 복사다",
        },
    ),
    (
        {
            "en": "port sets",
            "ko": "포트 집합",
            "en+": "port sets, and receiving from many ports by one call",
            "ko+": "포트 집합, 여러 포트에서 한 번에 받기",
        },
        {"en": "limit in messages (here: bytes)", "ko": "메시지 개수 한도(여기서는 바이트)"},
    ),
)
_WORDS = {
    "message": "메시지",
    "messages": "메시지",
    "of": "/",
    "next": "다음",
    "empty": "비어 있음",
    "nobody receives": "받는 이 없음",
    "in a message": "메시지 속",
    "carries": "실린 권한",
    "watch": "감시",
    "copied": "복사",
    "fresh": "새 메모리",
    "ready": "있던 메모리",
    "one page": "한 페이지만",
}
_MOST = 8


def _word(language: str, text: str) -> str:
    return _WORDS.get(text, text) if language == "ko" else text


def _queue_line(port: Channel, view: View) -> Line:
    """`P ▮▮▮ 3 messages, 2,304 of 4,608 B  next "…"`, or that nobody can receive there."""
    language, facts = view.language, port.facts
    count = port.count or 0
    line: list[Span] = [(f" {port.name} ", "title")]
    if facts["dead"]:
        line.append((f"✝ {_word(language, 'nobody receives')}", "error"))
        return line
    shown = min(count, _MOST)
    if count:
        line.append(("▮" * shown + ("…" if count > shown else ""), "fill"))
    else:
        line.append((_word(language, "empty"), "dim"))
    what = _word(language, "message" if count == 1 else "messages")
    fill = f" {'?' if port.count is None else count} {what}, {grouped(facts['taken'])} {_word(language, 'of')} "
    line.append((f"{fill}{grouped(facts['room'])} B ", "number"))
    if facts["carried"]:
        line.append((f"{_word(language, 'carries')} {facts['carried']} ", "warning"))
    line += [(f"◂{one['process']} {one['fd']} ", "text") for one in facts["receive"]]
    if not facts["receive"]:
        line.append((f"◂{_word(language, 'in a message')} ", "warning"))
    senders = " ".join(f"{one['process']} {one['fd']}" for one in facts["send"][:3])
    line.append((f"▸{senders or _word(language, 'in a message')} ", "text" if senders else "warning"))
    if port.items:
        line.append(
            (f'{_word(language, "next")} "{port.items[0].text[:16]}"', "message" if port.items[0].id else "foreign")
        )
    return line


def _rights(state: LabState, role: str, language: str, few: bool = False) -> Line:
    """A task's rights: ◂ receive, ▸ send, × dead, each with the descriptor behind it; the special ones in short.

    With `few`, of those that every task is born with only the dead ones, and how many others there are.
    """
    line: list[Span] = []
    special: list[Span] = []
    watched = 0
    for port in ports(state):
        name = str(port.name)
        short = name.partition(".")[0] if port.facts["special"] else name
        target = special if port.facts["special"] else line
        for mark, key in (("◂", "receive"), ("▸", "send")):
            mine = [str(one["fd"]) for one in port.facts[key] if one["process"] == role]
            if not mine:
                continue
            dead = port.facts["dead"] and key == "send"
            once = " once" if key == "send" and _answers(port, role) else ""
            text = f"{short}{once}{'×' if dead else mark}{','.join(mine)} "
            target.append((text, "error" if dead else "dim" if port.facts["special"] else "number"))
        watched += port.facts["watched"] if role == "kernel" else 0
    if role == "kernel":
        joined: dict[str, list[str]] = {}
        for text, _ in special:
            name, mark = (text.split("◂")[0], "◂") if "◂" in text else (text.split("▸")[0], "▸")
            joined.setdefault(name + mark, []).append(text.strip().partition(mark)[2])
        special = [(f"{name}{','.join(fds)} ", "dim") for name, fds in joined.items()]
        if watched and not few:
            special.append((f"{_word(language, 'watch')} {watched}", "dim"))
    if few and role != "kernel":
        dead = [span for span in special if span[1] == "error"]
        others = len(special) - len(dead)
        special = [*dead, (f"+{others} ", "dim")] if others else dead
    return [*line, *special]


def _answers(port: Channel, role: str) -> bool:
    """Whether a task's send right is one to answer by, which our programs use once: another's reply port."""
    replies = port.facts["special"] == "reply" or port.name == "reply-port"
    return replies and role not in [one["process"] for one in port.facts["receive"]]


def _task_lines(state: LabState, view: View, few: bool = False) -> list[Line]:
    """A line a task, the kernel's last."""
    roles = [role for role in state.processes if role != "kernel"] + ["kernel"]
    width = max((len(role) for role in roles), default=0) + 1
    lines: list[Line] = []
    for role in roles:
        process = state.processes.get(role)
        if process is None:
            continue
        if process.exited is not None:
            lines.append([(f" {padded(role, width)}", "ended"), (f"✝ {process.status or ''} ", "ended")])
        else:
            lines.append([(f" {padded(role, width)}", "title"), *_rights(state, role, view.language, few)])
    return lines


def _tasks_in(state: LabState, view: View, width: int, height: int) -> list[Line]:
    """Every task in a few lines: where there is no line for each, in short and two to a line."""
    lines = _task_lines(state, view)
    if len(lines) <= height:
        return lines
    half, spans = width // 2, [list(line) for line in _task_lines(state, view, True)]
    paired: list[list[Span]] = []
    for line in spans:
        used = sum(cell_len(text) for text, _ in paired[-1]) if paired else width
        if used <= half and sum(cell_len(text) for text, _ in line) <= width - half:
            paired[-1] += [(" " * (half - used), "text"), *line]
        else:
            paired.append(line)
    return [*paired]


def boxes(state: LabState, view: View) -> Sequence[Box]:
    """One box across the pane: queues, rights task by task, and who keeps which rule; or the times by size."""
    if not state.processes:
        return ()

    def lines(width: int, height: int) -> Sequence[Line]:
        rules = rules_line(STANDIN, view.language, width)
        if variant(state) == "out-of-line":
            return [*_measure_lines(state, view, width, height - 1), rules]
        tasks = _tasks_in(state, view, width, height - 2)
        queues = [_queue_line(port, view) for port in ports(state) if not port.facts["special"]]
        room = max(1, height - 1 - len(tasks)) if height - 1 > len(tasks) else 1
        return [*[*queues[:room], *tasks][: height - 1], rules]

    def contents(width: int, height: int) -> Sequence[Line]:
        return [*_contents(state, view, width), [], *standin_lines(STANDIN, view.language, width)]

    title: list[Span] = [("Mach ", "title"), title_span(STANDIN, view.language, 70)]
    return (Box(title, lines, contents, wish=7),)


def _measure_lines(state: LabState, view: View, width: int, height: int = 5) -> list[Line]:
    """Times by size and way; where a line is short, without the way that leaves all pages but one untouched."""
    ways = medians(state)
    sizes = sorted({size for times in ways.values() for size in times})
    names = ("copied", "fresh", "ready", "one page")[: 4 if height > 4 else 3]
    named = {_word(view.language, name): ways.get(name, {}) for name in names}
    return list(size_lines(named, sizes, width))[:height]


def _contents(state: LabState, view: View, width: int) -> list[Line]:
    """Every task's rights, then every port in full."""
    lines: list[Line] = [*_task_lines(state, view), []]
    for port in ports(state):
        lines.append(_queue_line(port, view))
        for mark, key in (("◂", "receive"), ("▸", "send")):
            held = port.facts[key]
            lines += [[(f"   {mark} {one['process']} {one['fd']} {one['object']}", "text")] for one in held]
        lines += [[(f'   {item.size:>6} B "{item.text}"', "message" if item.id else "foreign")] for item in port.items]
        if port.head:
            lines += hex_lines(bytes.fromhex(port.head)[:64], width)
    return [*lines, [], *_measure_lines(state, view, width)] if medians(state) else lines


def _full(state: LabState, view: View) -> str:
    turns = {"wait": "timeout", "timeout": "told", "told": "wait"}
    return f"set full {turns[parameter(state, 'full', 'wait')]}"


def _carry(state: LabState, view: View) -> str:
    return f"set carry {0 if parameter(state, 'carry', 0) else 254}"


PANE = Stage(boxes, caption, "wide", below=4).pane(
    Path(__file__).parent,
    "what stands for what, every port and right",
    Offer("6", "full queue", "wait, time out, or be told when there is room (full-queue); restarts", command=_full),
    Offer("7", "254 rights", "a message with more rights than the kernel takes (message); restarts", command=_carry),
    Offer("8", "flat out", "everybody as fast as it goes", command=lambda state, view: "rate all 0"),
    Offer("9", "first call", "restart held, to step from the first port on", command=lambda s, v: "restart held"),
)
