"""The caption of the pane of sockets: who waits for room, what was lost, what ended, in English and Korean."""

from __future__ import annotations

from ipctui.lab.state import LabState
from ipctui.mechanisms.socket.ends import (
    Connection,
    Facts,
    connections,
    door,
    how_many,
    is_asleep,
    is_full,
    is_unaccepted,
    lost,
    parameter,
    receivers,
    sockets,
    variant,
)
from ipctui.mechanisms.socket.memory import RECENT
from ipctui.trace.text import grouped
from ipctui.widgets.sentences import (
    blocked,
    blocked_by_held,
    deadlocked,
    ended,
    failed,
    first_of,
    is_held,
    killed,
    polling,
    stepping,
    stopped,
)


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    rules = (
        failed, deadlocked, _backlog, _full, _reset, _half, _dropped, stopped, stepping, _refused, killed,
        blocked_by_held, polling, ended, _waiting, _stranger,
    )  # fmt: skip
    return first_of(rules, state, language) or _usual(state, language == "ko")


def _why(state: LabState, process: str, korean: bool) -> str:
    """Why somebody does not read, as far as anybody knows: ", held by you", ", stopped"."""
    found = state.processes.get(process)
    if is_held(state, process):
        return "(붙잡혀 있음)" if korean else ", which you hold (space),"
    if found is not None and found.state is not None and found.state.state == "stopped":
        return "(정지됨)" if korean else ", stopped (z),"
    return ""


def _full(state: LabState, korean: bool) -> str:
    """Somebody sleeps in send: the window is closed, or the one queue of unix(7) is full."""
    for process, _ in blocked(state, "send"):
        mine = [one for one in connections(state) if process.role in (one.first["process"], _second(one))]
        for one in mine:
            near, far = (one.first, one.second) if one.first["process"] == process.role else (one.second, one.first)
            if near is None or not near["unsent"]:
                continue
            whom = str(near.get("holder") or "")
            if variant(state).startswith("unix"):
                return _unix_full(state, process.role, whom, near["unsent"], near["send_room"], korean)
            unread = far["waiting"] if far is not None else None
            return _tcp_full(state, process.role, whom, near, unread, korean)
    return ""


def _second(one: Connection) -> str:
    return one.second["process"] if one.second is not None else ""


def _unix_full(state: LabState, who: str, whom: str, taken: int, room: int, korean: bool) -> str:
    why = _why(state, whom, korean)
    if korean:
        return (
            f"{whom}{why}의 수신 큐에 있는 것이 {who}의 SO_SNDBUF를 다 썼다({grouped(taken)}/{grouped(room)}바이트). "
            f"그래서 커널이 send에서 재웠다. {whom}가 읽으면 깬다."
        )
    return (
        f"What waits at {whom}{why} has used up {who}'s SO_SNDBUF ({grouped(taken)} of {grouped(room)} bytes), so the "
        f"kernel put {who} to sleep in send. A recv by {whom or 'the other end'} wakes it."
    )


def _tcp_full(state: LabState, who: str, whom: str, near: Facts, unread: int | None, korean: bool) -> str:
    unsent = grouped(near["unsent"])
    if not whom:
        if korean:
            return (
                f"서버가 아직 {who}를 수락하지 않았다. 커널이 연결은 맺었고 큐도 찼다({unsent}바이트): "
                f"{who}는 send에서 잔다. accept가 깨운다."
            )
        return (
            f"Nobody has accepted {who}: the kernel made the connection and filled its queues, {unsent} bytes here. "
            f"{who} sleeps in send until the server accepts and reads."
        )
    why, shut = _why(state, whom, korean), _shut(near["window"], korean)
    if korean:
        waits = "보낸 것이" if unread is None else f"{grouped(unread)}바이트가"
        return (
            f"{whom}{why}에 {waits} 읽히지 않은 채 있다. {shut}{who}의 송신 큐도 {unsent}바이트로 찼다. "
            f"커널이 send에서 재웠고, {whom}가 읽으면 깬다."
        )
    waits = f"{whom}{why} has not read what was sent" if unread is None else ""
    waits = waits or f"{grouped(unread or 0)} bytes wait unread at {whom}{why.rstrip(',')}"
    return (
        f"{waits}{shut}. {unsent} more fill {who}'s send queue, so the kernel put {who} to sleep in send; "
        f"a recv by {whom} wakes it."
    )


def _shut(window: int | None, korean: bool) -> str:
    """What the peer's window is down to; "" where the kernel does not tell."""
    if window is None:
        return ""
    if korean:
        return "윈도가 닫혔고 " if window == 0 else f"윈도가 {grouped(window)}바이트뿐이고 "
    return ": its window is closed" if window == 0 else f": its window is down to {grouped(window)} bytes"


def _backlog(state: LabState, korean: bool) -> str:
    """Somebody sleeps in connect: the queue before accept is full."""
    listen = door(state)
    for process in state.processes.values():
        if not is_asleep(process, "connect") or listen is None:
            continue
        most = (listen["backlog"] or 0) + 1
        if korean:
            return (
                f"대기열이 가득 찼다: 연결 {most}개가 {listen['process']}의 accept를 기다린다(backlog {listen['backlog']}). "
                f"그래서 {process.name}는 connect에서 잔다."
            )
        return (
            f"The backlog is full: {most} connections wait for {listen['process']}'s accept (listen said "
            f"{listen['backlog']}, the kernel allows one more). So {process.name} sleeps in connect."
        )
    return ""


def _recent(state: LabState, *what: str) -> tuple[str, str] | None:
    """Who saw the end of a connection lately, and in which call."""
    for role, news in state.facts.get("news", {}).items():
        if news["what"] in what and state.t - news["t"] < RECENT:
            return role, news["call"]
    return None


def _reset(state: LabState, korean: bool) -> str:
    found = _recent(state, "ECONNRESET")
    if found is None:
        return ""
    who, call = found
    unix = variant(state).startswith("unix")
    if korean:
        why = "읽지 않은 것이 있는 채로 닫아" if unix else "RST가 왔다:"
        return (
            f"{who}의 {call}가 ECONNRESET을 받았다. 상대가 {why} 오가던 바이트는 사라졌다. 차례가 되면 다시 연결한다."
        )
    why = "closed with unread data" if unix else "sent RST instead of FIN"
    return (
        f"{who}'s {call} got ECONNRESET: the other end {why}. What was under way is lost, and no end of file is read. "
        f"{who} connects again at its turn."
    )


def _half(state: LabState, korean: bool) -> str:
    for role in state.facts.get("shut", {}):
        ends = [one for one in connections(state) if role in (one.first["process"], _second(one))]
        one = next((one for one in ends if one.second is not None), None)
        process = state.processes.get(role)
        if one is None or one.second is None or process is None or process.exited is not None:
            continue
        near, far = (one.first, one.second) if one.first["process"] == role else (one.second, one.first)
        tcp = not variant(state).startswith("unix")
        states = (f" ({near['state']})", f" ({far['state']})") if tcp else ("", "")
        if korean:
            return (
                f"반쪽 닫힘: {role}는 더 보내지 않고{states[0]} {far['process']}는 파일 끝을 읽는다{states[1]}. "
                f"반대 방향은 열려 있어 {far['process']}가 아직 답한다."
            )
        return (
            f"Half closed: {role} sends no more{states[0]}, and {far['process']} reads end of file{states[1]}. "
            f"The other direction is open: {far['process']} may still answer."
        )
    return ""


def _dropped(state: LabState, korean: bool) -> str:
    full = [channel for channel in receivers(state) if channel.facts["drops"] and is_full(channel)]
    if not full:
        return ""
    facts, drops = full[0].facts, lost(state, full[0].facts["process"])
    who, why = facts["process"], _why(state, facts["process"], korean)
    if korean:
        return (
            f"{who}{why}의 수신 큐가 가득 찼다({how_many(full[0])}개, 메모리 {grouped(facts['taken'])}/{grouped(facts['room'])}바이트). "
            f"더 오는 데이터그램은 버려진다: {grouped(drops)}개. 보내는 쪽은 모르고 기다리지도 않는다."
        )
    return (
        f"The queue of {who}{why} is full ({how_many(full[0])} datagrams, {grouped(facts['taken'])} of "
        f"{grouped(facts['room'])} bytes). What still comes is thrown away, {grouped(drops)} so far; the sender neither "
        "waits nor is told."
    )


def _refused(state: LabState, korean: bool) -> str:
    which = variant(state)
    if which in ("udp", "multicast"):
        return _nobody_receives(state, which, korean)
    if door(state) is not None:
        return ""
    found = _recent(state, "ECONNREFUSED")
    if found is None:
        return ""
    if korean:
        return f"{found[0]}의 connect가 거절되었다(ECONNREFUSED): 그 주소에 듣는 소켓이 없다. 차례마다 다시 시도한다. 팔레트(Ctrl+P)의 restart server가 서버를 살린다."
    return (
        f"{found[0]}'s connect is refused (ECONNREFUSED): no socket listens at that address any more. "
        "It tries again at its turn; Ctrl+P, restart server."
    )


def _nobody_receives(state: LabState, which: str, korean: bool) -> str:
    sender = next((p for p in state.processes.values() if p.role.startswith("sender") and p.exited is None), None)
    if receivers(state) or sender is None or not state.facts.get("sends"):
        return ""
    if which == "udp" and parameter(state, "connected", "off") == "on":
        if korean:
            return (
                "아무도 그 포트에서 받지 않는다. 소켓이 연결되어 있어 커널이 다음 send에서 ECONNREFUSED로 알려 준다. "
                "그 데이터그램은 나가지 않고 거절로 센다."
            )
        return (
            "Nobody receives at that port. The socket is connected, so the kernel says it at the next send, by "
            "ECONNREFUSED: that datagram is not sent, and counted as refused."
        )
    if korean:
        return "아무도 받지 않는데 sendto는 성공한다. 연결하지 않은 소켓에는 커널이 아무 말도 하지 않는다. udp라면 6으로 연결해 보라."
    return (
        "Nobody receives, and every sendto succeeds: an unconnected socket is not told that its datagrams found "
        "nobody. 6 connects it (udp)."
    )


def _waiting(state: LabState, korean: bool) -> str:
    listen = door(state)
    waits = [one.first["process"] for one in connections(state) if is_unaccepted(state, one)]
    if not waits or listen is None:
        return ""
    who = ", ".join(waits)
    if korean:
        return (
            f"{who}의 connect는 돌아왔지만 {listen['process']}는 아직 수락하지 않았다. 커널이 대기열에 두었다: "
            f"{listen['queued']}/{(listen['backlog'] or 0) + 1}."
        )
    return (
        f"{who}'s connect has returned, and {listen['process']} has not accepted yet: the kernel keeps the connection "
        f"in the accept queue, {listen['queued']} of {(listen['backlog'] or 0) + 1}."
    )


def _stranger(state: LabState, korean: bool) -> str:
    for one in sockets(state, "stream"):
        if str(one.get("holder") or "").startswith("pid "):
            if korean:
                return f"바깥 프로세스 {one['holder']}가 {one['peer']}에서 {one['process']}에 연결했다: 주소를 아는 누구나 할 수 있다."
            return (
                f"A process from outside, {one['holder']}, is connected to {one['process']} from {one['peer'] or 'a '}"
                f"{'' if one['peer'] else 'nameless socket'}: anybody on this machine who knows the address may."
            )
    return ""


def _usual(state: LabState, korean: bool) -> str:
    which = variant(state)
    if which == "tcp":
        return _stream(state, korean)
    if which == "udp":
        if korean:
            return (
                "sendto마다 데이터그램 하나, 경계가 지켜진다. receiver를 space로 붙잡으면 큐가 차고, 그다음은 버려진다."
            )
        return (
            "Each sendto is one datagram, and its edges are kept. Hold the receiver (space): its queue fills, "
            "and what comes then is lost."
        )
    if which == "multicast":
        gone = [one["process"] for one in sockets(state, "group") if one.get("member") is False]
        if gone:
            return _left(gone[-1], korean)
        if korean:
            return "한 번 보내면 커널이 그룹의 구성원마다 복사한다. 하나를 붙잡으면 그 큐만 차고 그 복사본만 잃는다. 8로 더한다."
        return (
            "One send, and the kernel makes a copy for every member of the group. Hold one member: only its queue fills, "
            "only its copies are lost. 8 adds a member."
        )
    if which == "echo":
        count = len([one for one in connections(state) if one.second is not None])
        if korean:
            return f"서버 하나가 연결 {count}개를 poll로 지켜보고, 온 것을 그대로 돌려준다. 클라이언트마다 소켓이 따로 있다. 8로 더한다."
        return (
            f"One server watches {count} connection{'' if count == 1 else 's'} with poll and sends back what comes; each "
            "client has a socket of its own there. 8 adds a client."
        )
    if which == "unix-seqpacket":
        if korean:
            return "연결이지만 메시지의 경계가 지켜진다: 보낸 그대로 하나씩 온다. 포트 대신 경로를 쓰고 이 컴퓨터를 떠나지 않는다."
        return (
            "A connection that keeps the edges of messages: each send is one receive. Its address is a path, "
            "and nothing leaves this machine."
        )
    return _stream(state, korean)


def _left(who: str, korean: bool) -> str:
    if korean:
        return f"{who}는 그룹의 구성원이 아니다. 소켓과 포트는 있지만 복사본이 오지 않는다. 6으로 들어온다(IP_ADD_MEMBERSHIP)."
    return (
        f"{who} is no member of the group: it has a socket on the port, and no copy comes. 6 makes it join "
        "(IP_ADD_MEMBERSHIP)."
    )


def _stream(state: LabState, korean: bool) -> str:
    size = parameter(state, "size", 64)
    largest = state.facts.get("largest", {}).get("server", {"size": 0, "t": 0})
    joined = largest["size"] if state.t - largest["t"] < RECENT and largest["size"] > size else 0
    port = "" if variant(state).startswith("unix") else "127.0.0.1"
    if joined:
        if korean:
            return f"스트림에는 경계가 없다: {grouped(size)}바이트씩 보낸 것이 recv 한 번에 {grouped(joined)}바이트로 왔다."
        return (
            f"A stream has no edges: what was sent {grouped(size)} bytes at a time came as {grouped(joined)} bytes "
            "in one recv."
        )
    if port:
        if korean:
            return (
                "127.0.0.1은 이 컴퓨터 자신이다(루프백). 바이트는 송신 큐에서 윈도가 허락하는 만큼 상대의 수신 큐로 간다. "
                "server를 space로 붙잡아 보라."
            )
        return (
            "127.0.0.1 is this machine itself (loopback). Bytes go from the send queue to the peer's receive queue as "
            "far as its window allows. Hold the server: space."
        )
    if korean:
        return "포트 대신 경로를 쓰는 스트림이다. 큐는 받는 쪽에 하나뿐이고 그 메모리는 보내는 쪽의 몫이다. server를 붙잡아 보라."
    return (
        "A stream at a path instead of a port. There is one queue, at the receiver, and its memory counts against the "
        "sender. Hold the server: space."
    )
