"""The caption of direct communication: one sentence on what is so and why, in English and Korean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ipctui.lab.state import LabState
from ipctui.mechanisms.direct.looker import NAMED_BY
from ipctui.trace.text import grouped
from ipctui.widgets.card import operation_text
from ipctui.widgets.sentences import blocked, failed, first_of, is_held, stepping


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    troubles = (_refused, failed, _died, _stopped, stepping, _deaf, _full, _held_sender, _forged)
    return first_of((*troubles, _gathering, _polling, _all_ended), state, language) or _plain(state, language == "ko")


def doors(state: LabState) -> dict[str, dict[str, Any]]:
    """By name, who bears it now."""
    return {
        held.now.name: held.now.facts
        for held in state.channels.values()
        if held.now.facts.get("door") and not held.now.closed and held.now.name
    }


def ends(state: LabState) -> Iterator[dict[str, Any]]:
    """Every end of every open link."""
    for held in state.channels.values():
        if held.now.facts.get("link") and not held.now.closed:
            yield from held.now.facts["ends"]


def called(state: LabState, role: str) -> str:
    """The name that a process bears now; its role's while it bears none."""
    return next((name for name, door in doors(state).items() if door["process"] == role), role)


def refused(state: LabState) -> dict[str, str]:
    """By process, the name that it calls and nobody bears."""
    taken, found = doors(state), {}
    for role, name in state.facts.get("refused", {}).items():
        process = state.processes.get(role)
        if process is None or process.exited is not None:
            continue
        known = (name,) if name else NAMED_BY.get(process.program or "", ())
        vacant = [one for one in known if one not in taken]
        if vacant:
            found[role] = vacant[0]
    return dict(sorted(found.items()))


def _refused(state: LabState, korean: bool) -> str:
    """Who names somebody that nobody is."""
    taken, vain = doors(state), refused(state)
    living = list(vain)
    if not living:
        return ""
    old = vain[living[0]]
    who = ", ".join(role for role in living if vain[role] == old)
    now = next((name for name, door in taken.items() if door["process"] == old), None)
    bearer = state.processes.get(old)
    ended = bearer is not None and bearer.exited is not None
    if korean:
        why = f"{old}의 이름이 이제 {now}이다" if now else f"{old}가 끝났다" if ended else f"{old}라는 프로세스가 없다"
        return (
            f"{why}. {who}의 프로그램에는 여전히 {old}라고 적혀 있어서, connect마다 ECONNREFUSED를 받는다. "
            f"{old}를 부르는 곳을 모두 고쳐야 한다."
        )
    why = f"it is called {now} now" if now else "it has ended" if ended else "nobody has taken that name"
    verb, whose = ("name", "their programs") if "," in who else ("names", "its program")
    return (
        f"There is no {old}: {why}. {who} still {verb} {old} in {whose}, and every connect is refused "
        "(ECONNREFUSED). Each place that names it would have to be changed."
    )


def _died(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        status = process.status or ""
        if process.exited is not None and status.startswith("signal"):
            name = status.removeprefix("signal ")
            if korean:
                return (
                    f"{process.role}는 {name} 시그널로 끝났고, 이름과 링크도 함께 사라졌다. 상대는 이름을 다시 불러 봐야 안다. "
                    "r로 다시 시작한다."
                )
            return f"{process.role} was ended by {name}: its name and its links went with it. r restarts."
    return ""


def _stopped(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        if process.exited is None and process.state is not None and process.state.state == "stopped":
            if korean:
                return f"{process.role}는 SIGSTOP으로 정지되었다. 이름과 링크는 그대로이고, 메시지는 링크에 쌓인다(z로 계속)."
            return (
                f"{process.role} is stopped by SIGSTOP: it keeps its name and its links, and messages gather there "
                "until SIGCONT (z)."
            )
    return ""


def _full(state: LabState, korean: bool) -> str:
    """A sender asleep because its link is full."""
    for process, now in blocked(state, "send"):
        end = next((end for end in ends(state) if end["object"] == now.object), None)
        if end is None:
            continue
        peer = end["peer"]
        waiting = next((each for each in ends(state) if each["process"] == peer and each["peer"] == process.role), None)
        count = waiting["messages"] if waiting is not None and waiting["messages"] else "?"
        fill = f"{grouped(end['taken'])}/{grouped(end['room'])}"
        held = is_held(state, peer)
        if korean:
            text = f"{process.role}와 {peer}의 링크가 메시지 {count}개로 찼다(커널 메모리 {fill}바이트). 커널이 {process.role}를 send에서 재웠다."
            return text + (f" {peer}를 붙잡고 있기 때문이다(space)." if held else f" {peer}의 receive가 깨운다.")
        text = f"The link {process.role}–{peer} is full: {count} messages take {fill} bytes of kernel memory, so {process.role} sleeps in send."
        return text + (f" You hold {peer} (space releases)." if held else f" A receive by {peer} wakes it.")
    return ""


def _deaf(state: LabState, korean: bool) -> str:
    """Somebody who sleeps in receive(Q, m) while a message from another waits for it."""
    for process, now in blocked(state, "recv"):
        mine = [end for end in ends(state) if end["process"] == process.role]
        awaited = next((end["peer"] for end in mine if end["object"] == now.object), None)
        others = [end for end in mine if end["object"] != now.object and end["waiting"]]
        if awaited is None or not others or not is_held(state, awaited):
            continue
        other, count = others[0]["peer"], others[0]["messages"]
        if korean:
            return (
                f"{process.role}는 receive({awaited}, m)에서 잔다. {other}가 보낸 메시지 {count}개가 와 있어도, "
                f"이름을 댄 {awaited}의 것이 아니면 받지 않는다. {awaited}는 여러분이 붙잡고 있다(space)."
            )
        return (
            f"{process.role} sleeps in receive({awaited}, m), though {count} of {other}'s messages wait for it: it named "
            f"{awaited}, and takes from nobody else. You hold {awaited} (space releases)."
        )
    return ""


def _held_sender(state: LabState, korean: bool) -> str:
    for process, now in (*blocked(state, "recv"), *blocked(state, "accept"), *blocked(state, "poll")):
        if not now.wakers or not all(is_held(state, role) for role in now.wakers):
            continue
        who = ", ".join(now.wakers)
        if korean:
            return f"{process.role}에게 온 메시지가 없어 커널이 {operation_text(now)}에서 재웠다. 보낼 {who}를 붙잡고 있다(space)."
        return (
            f"Nothing has come for {process.role}, so the kernel put it to sleep in {operation_text(now)}. "
            f"You hold {who}, who would send (space releases)."
        )
    return ""


def _forged(state: LabState, korean: bool) -> str:
    for role, claim in state.facts.get("claims", {}).items():
        process = state.processes.get(role)
        if process is None or process.exited is not None:
            continue
        said, count = claim["as"], grouped(claim["count"])
        bearer = state.processes.get(said)
        pid = bearer.pid if bearer is not None else "?"
        if korean:
            return (
                f"{role}가 메시지 {count}개에 {said}라고 적어 보냈다. 그러나 SO_PEERCRED로 커널이 알려 준 상대는 pid {process.pid}이고, "
                f"{said}는 pid {pid}이다. q는 받아들이지 않는다."
            )
        return (
            f"{count} messages of {role} say that they are {said}'s. The kernel says otherwise (SO_PEERCRED): that link's "
            f"other end is pid {process.pid}, and {said} is pid {pid}. q counts none of them."
        )
    return ""


def _gathering(state: LabState, korean: bool) -> str:
    """A receiver that is held while messages come."""
    for process in state.processes.values():
        waiting = sum(end["messages"] or 0 for end in ends(state) if end["process"] == process.role)
        if not waiting or process.exited is not None or not is_held(state, process.role):
            continue
        count, role = grouped(waiting), process.role
        if korean:
            return f"{role}를 붙잡고 있어(space) 메시지 {count}개가 그 링크들에서 기다린다. 링크가 가득 차면 보내는 쪽이 send에서 잔다."
        what = "1 message waits" if waiting == 1 else f"{count} messages wait"
        return f"You hold {role} (space releases): {what} in its links. Who fills one will sleep in send."
    return ""


def _polling(state: LabState, korean: bool) -> str:
    for process in state.processes.values():
        asks = process.program in ("receiver", "doubter") and any(row.nonblocking for row in process.descriptors)
        if asks and process.exited is None and process.state is not None and process.state.state == "running":
            if korean:
                return f"{process.role}는 논블로킹이다: 온 것이 있든 없든 poll이 바로 돌아오고, {process.role}는 쉬지 않고 다시 묻는다."
            return (
                f"{process.role} is non-blocking: poll comes back at once, whether anything has come or not, and "
                f"{process.role} asks again without a pause."
            )
        recent = process.empties and state.t - process.empties[-1] < 500_000_000
        if recent and process.exited is None:
            if korean:
                return f"{process.role}는 논블로킹이다: 할 일이 없으면 커널이 재우지 않고 EAGAIN을 돌려준다(∅)."
            return f"{process.role} is non-blocking: with nothing to be had the kernel answers EAGAIN (∅)."
    return ""


def _all_ended(state: LabState, korean: bool) -> str:
    if not state.processes or any(process.exited is None for process in state.processes.values()):
        return ""
    if korean:
        return "모두 끝났고, 이름도 링크도 남지 않았다. r로 다시 시작한다."
    return "Everybody has ended, and neither a name nor a link is left. r restarts."


def _plain(state: LabState, korean: bool) -> str:
    """What goes on where nothing stands out."""
    made = sum(1 for held in state.channels.values() if held.now.facts.get("link") and not held.now.closed)
    variant = state.header.variant if state.header is not None else ""
    if korean:
        tail = {
            "symmetric": "보내는 쪽도 받는 쪽도 상대의 이름을 댄다. q를 붙잡으면(space) r은 p의 메시지를 두고도 잔다.",
            "asymmetric": "q는 아무도 부르지 않고 모든 링크를 기다리며, 누가 보냈는지 듣는다. q를 붙잡아 보라(space).",
            "rename": "6을 누르면 q의 이름이 s로 바뀐다. q라고 적어 둔 프로그램들이 어떻게 되는지 보라.",
            "forged": "곧 m이 와서 자기가 p라고 한다. 누가 진짜인지는 커널이 안다.",
        }
        return f"링크 {made}개: 두 프로세스마다 하나, 첫 send가 만들었다. {tail.get(variant, '')}"
    tail = {
        "symmetric": "Both sides name the other. Hold q (space), and r sleeps though p's messages wait for it.",
        "asymmetric": "q names nobody: it waits on all its links and is told who sent. Hold q with space.",
        "rename": "6 gives q the name s: watch what becomes of the programs that name q.",
        "forged": "Soon m comes and says that it is p. The kernel knows who is who.",
    }
    links = "1 link" if made == 1 else f"{made} links"
    return f"{links}, one for each pair that talks, made by its first send. {tail.get(variant, '')}"
