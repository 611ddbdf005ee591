"""The caption of shared memory's pane: one sentence that says what is going on and why, in English and Korean.

Small rules over the state, the most telling first. What is said of a sleeper repeats what the kernel said; what is said
of the segment was read from it.
"""

from __future__ import annotations

from ipctui.lab.state import LabState
from ipctui.mechanisms.shm.facts import lost_updates, recovered_by, stored_updates
from ipctui.mechanisms.shm.words import reason
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped


def caption(state: LabState, language: str) -> str:
    """The sentence for a state."""
    korean = language == "ko"
    found = next((held.now for held in state.channels.values() if held.now.type == "shm" and not held.now.closed), None)
    if found is not None:
        for rule in (
            _bus,
            _died_with_lock,
            _died,
            _stopped,
            _between,
            _asleep,
            _spinning,
            _unlinked,
            _joined_by,
            _quiet,
        ):
            sentence = rule(state, found, korean)
            if sentence:
                return sentence
    for process in state.processes.values():
        if process.exited is not None:
            how = process.status or "?"
            return (
                f"{process.role}는 끝났다({how}). r로 다시 시작한다."
                if korean
                else f"{process.role} ended ({how}). r restarts."
            )
    return (
        "프로세스들이 세그먼트를 만들고 자기 주소 공간에 매핑하고 있다."
        if korean
        else "The processes make the segment and map it into their address spaces."
    )


def _bus(state: LabState, segment: Channel, korean: bool) -> str:
    """Somebody was killed by SIGBUS, or whoever touches the segment next will be."""
    dead = [process.role for process in state.processes.values() if process.status == "signal SIGBUS"]
    size, needed = segment.facts.get("size", 0), segment.facts.get("needed", 0)
    if dead and size < needed:
        if korean:
            return (
                f"누군가 파일을 {grouped(size)}바이트로 잘랐다. 매핑은 남았지만 뒤에 메모리가 없어서, 그곳을 건드린 "
                f"{dead[0]}를 커널이 SIGBUS로 끝냈다. r로 다시 시작한다."
            )
        return (
            f"Somebody cut the file to {grouped(size)} bytes. The mapping is still there with no memory behind it: "
            f"{dead[0]} touched it and was killed by SIGBUS. r restarts."
        )
    if dead:
        if korean:
            return f"{dead[0]}는 SIGBUS로 끝났다: 매핑한 페이지에 메모리를 댈 수 없었다(/dev/shm이 가득 찼거나 파일이 잘렸다)."
        return (
            f"{dead[0]} was killed by SIGBUS: no memory for a page that it has mapped (/dev/shm full, or the file cut)."
        )
    if size < needed:
        if korean:
            return f"누군가 파일을 {grouped(size)}바이트로 잘랐다(필요한 크기 {grouped(needed)}). 끝난 뒤를 건드리면 SIGBUS다."
        return f"Somebody cut the file to {grouped(size)} of {grouped(needed)} bytes: whoever touches a page past its end gets SIGBUS."
    return ""


def _died_with_lock(state: LabState, segment: Channel, korean: bool) -> str:
    """A lock whose taker is dead."""
    locks = [held.now for held in state.channels.values() if held.now.type == "semaphore" and not held.now.closed]
    lock = next((found for found in locks if found.facts.get("dead")), None)
    if lock is None:
        return ""
    role, name = lock.facts["holder"], lock.name
    now = state.processes.get(role)
    # Another may have taken its place since: what is dead is the one that has the lock.
    earlier = now is not None and now.exited is None
    holder = (f"이전 {role}" if korean else f"An earlier {role}") if earlier else role
    heir = recovered_by(state.facts, role)
    if heir and "mutex_owner" in segment.facts and role == "owner":
        if korean:
            return (
                f"{holder}가 락 둘을 쥔 채 죽었다. 세마포어 {name}의 값은 영영 0이다: 쥔 쪽이 누군지 모르기 때문이다. "
                f"robust 뮤텍스는 {heir}에게 EOWNERDEAD와 함께 넘어갔다. 8은 세마포어를 대신 post한다."
            )
        return (
            f"{holder} died with both locks. Semaphore {name} stays 0 for ever: it knows no owner. The robust mutex "
            f"went to {heir} with EOWNERDEAD. 8 posts the semaphore by hand."
        )
    if korean:
        return f"{holder}가 세마포어 {name}를 쥔 채 죽었다. 값은 0에 머물고 post할 프로세스는 없다: 기다리는 쪽은 영영 잔다."
    return (
        f"{holder} died with {name} in hand: its value stays 0, nobody is left to post it, and who waits sleeps "
        "for ever."
    )


def _died(state: LabState, segment: Channel, korean: bool) -> str:
    for process in state.processes.values():
        if process.exited is None or not (process.status or "").startswith("signal"):
            continue
        how = (process.status or "").removeprefix("signal ")
        rest = len(segment.facts.get("mapped", ()))
        if korean:
            return f"{process.role}는 {how} 시그널로 끝났다. 세그먼트와 내용은 남아 있고 {rest}개 프로세스가 매핑하고 있다. r로 다시 시작한다."
        return f"{process.role} was ended by {how}. The segment stays with all that is in it, mapped by {rest} more. r restarts."
    for event in reversed(state.events):
        gone = state.processes.get(event.process or "")
        if event.name == "failed" and gone is not None and gone.exited is not None:
            call, why = event.data.get("call"), event.data.get("errno")
            if korean:
                return f"{event.process}는 {call}이 {why}로 실패해 끝났다. r로 다시 시작한다."
            return f"{event.process} ended because its {call} failed with {why}. r restarts."
    return ""


def _stopped(state: LabState, segment: Channel, korean: bool) -> str:
    for process in state.processes.values():
        if process.exited is None and process.state is not None and process.state.state == "stopped":
            if korean:
                return f"{process.role}는 SIGSTOP으로 정지되었다(z). 쥐고 있던 것은 그대로 쥐고 있다."
            return (
                f"{process.role} is stopped by SIGSTOP until SIGCONT comes (z); whatever it holds, it goes on holding."
            )
    return ""


def _between(state: LabState, segment: Channel, korean: bool) -> str:
    """An adder held between its load and its store: what its store will undo."""
    if "counter" not in segment.facts:
        return ""
    for process in state.processes.values():
        now = process.state
        if now is None or now.state != "held" or now.before is None or now.before.name != "store":
            continue
        loaded = state.facts.get("loaded", {}).get(process.name)
        if loaded is None:
            continue
        present = segment.facts["counter"]
        undone = present - loaded
        if korean:
            return (
                f"{process.role}는 {grouped(loaded)}을 읽고 store 앞에 붙잡혀 있다. 카운터는 벌써 {grouped(present)}이다. "
                f"놓아주면(space) {grouped(loaded + 1)}을 저장해 그 사이의 {grouped(undone)}번을 지운다."
            )
        return (
            f"{process.role} loaded {grouped(loaded)} and is held before its store; the counter is at {grouped(present)} "
            f"by now. Released (space), it stores {grouped(loaded + 1)}: {grouped(undone)} updates undone."
        )
    return ""


def _asleep(state: LabState, segment: Channel, korean: bool) -> str:
    """A process asleep before a semaphore or mutex, and who keeps it there."""
    for process in state.processes.values():
        now = process.state
        if process.exited is not None or now is None or now.state != "blocked" or now.before is None:
            continue
        held = [role for role in now.wakers if _is_held(state, role)]
        if not held:
            continue
        if segment.used is not None and segment.used == segment.capacity and "in" in segment.facts:
            n, into = segment.slots or 0, segment.facts["in"]
            if korean:
                return (
                    f"({into}+1) % {n} == out: 칸 하나를 비운 채 버퍼가 가득 찼다. 커널이 {process.role}를 "
                    f"{now.before.name}에서 재웠다. 깨울 {held[0]}는 붙잡혀 있다(space)."
                )
            return (
                f"({into}+1) % {n} == out: full, with one slot kept empty. The kernel put {process.role} to sleep in "
                f"{now.before.name}; {held[0]} would post, but you hold it (space)."
            )
        if korean:
            return f"{process.role}는 {now.before.name}에서 잔다({reason('ko', now.reason or '?')}). 깨울 {held[0]}는 붙잡혀 있다(space)."
        return f"{process.role} sleeps in {now.before.name} ({now.reason}); {held[0]} would wake it, but you hold it (space)."
    return ""


def _is_held(state: LabState, role: str) -> bool:
    process = state.processes.get(role)
    return process is not None and process.settings is not None and process.settings.held


def _spinning(state: LabState, segment: Channel, korean: bool) -> str:
    """The buffer is full or empty, nobody sleeps, and one process runs in circles over it."""
    if "in" not in segment.facts or any(held.now.type == "semaphore" for held in state.channels.values()):
        return ""
    full = segment.used == segment.capacity
    running = [
        process.role
        for process in state.processes.values()
        if process.exited is None
        and process.state is not None
        and process.state.state == "running"
        and process.role.startswith("producer" if full else "consumer")
    ]
    if not running or (segment.used and not full):
        return ""
    who = running[0]
    if full:
        n, into = segment.slots or 0, segment.facts["in"]
        if korean:
            return (
                f"({into}+1) % {n} == out: 버퍼가 가득 찼다. {who}는 자지 않고 out을 읽고 또 읽는다: "
                "시스템 콜은 없지만 코어 하나를 태운다."
            )
        return (
            f"({into}+1) % {n} == out: the buffer is full. {who} does not sleep, it loads `out` again and again: "
            "no system call, and a core burned."
        )
    if korean:
        return (
            f"in == out: 버퍼가 비었다. {who}는 자지 않고 in을 읽고 또 읽는다: 시스템 콜은 없지만 코어 하나를 태운다."
        )
    return f"in == out: the buffer is empty. {who} loads `in` again and again: no system call, and a core burned."


def _unlinked(state: LabState, segment: Channel, korean: bool) -> str:
    if segment.facts.get("links", 1):
        return ""
    mapped = len(segment.facts.get("mapped", ()))
    if segment.facts.get("replaced"):
        if korean:
            return f"이 이름은 이제 다른 세그먼트의 것이다. {mapped}개 프로세스는 이름 없는 옛 세그먼트를 계속 쓴다."
        return f"The name leads to another segment now; {mapped} processes go on in the old one, which has none."
    if korean:
        return (
            f"이름은 /dev/shm에서 사라졌지만 메모리는 {mapped}개 매핑이 붙들고 있다: 마지막 매핑이 없어질 때 사라진다."
        )
    return f"The name is gone from /dev/shm, the memory lives on in {mapped} mappings: it goes with the last of them."


def _joined_by(state: LabState, segment: Channel, korean: bool) -> str:
    """A process that is none of ours has the segment mapped."""
    row = next((row for row in segment.facts.get("mapped", ()) if not row["pid"]), None)
    if row is None:
        return ""
    who, at, writes = row["process"], f"{row['start']:x}", "w" in row["permissions"]
    if korean:
        can = "읽고 쓸 수 있다" if writes else "읽을 수 있다"
        return f"이 실습의 것이 아닌 {who}도 세그먼트를 {at}에 매핑했다: 같은 바이트를 {can}."
    can = "read and change" if writes else "read"
    return f"{who}, no process of this session, has the segment mapped too, at {at}: it can {can} the same bytes."


def _quiet(state: LabState, segment: Channel, korean: bool) -> str:
    """Nothing stands out: what the variant shows."""
    facts = segment.facts
    if "counter" in facts:
        lost, stored = grouped(lost_updates(state.facts)), grouped(stored_updates(state.facts))
        if facts.get("lock"):
            if korean:
                return (
                    f"락이 켜져 있다: load와 store 사이에 아무도 끼어들지 못해 잃은 갱신은 {lost}에서 멈춘다. l로 끈다."
                )
            return f"The lock is on: nobody gets between load and store, and the lost updates stay at {lost}. l takes it off."
        if korean:
            return f"락이 없다: {stored}번 더했는데 {lost}번을 잃었다. 남의 load와 store 사이에 한 store는 지워진다. l로 켠다."
        return f"No lock: of {stored} updates {lost} are lost, each stored between another's load and store. l locks."
    if "views" in facts:
        views = facts["views"]
        hermit = views.get("hermit", [0, 0])
        if hermit[1]:
            if korean:
                return (
                    f"hermit은 private에 {hermit[1]}을 썼지만 다른 모두에게는 0이다: MAP_PRIVATE의 첫 store가 페이지를 "
                    f"복사했다. 그 사본에서는 shared도 {hermit[0]}에 멈춰 있다."
                )
            return (
                f"hermit stored {hermit[1]} in `private`, and for all others it is 0: its first store through "
                f"MAP_PRIVATE copied the page. In that copy `shared`, too, stands still at {hermit[0]}."
            )
        if korean:
            return "hermit은 아직 쓰지 않았다: MAP_PRIVATE라도 첫 store까지는 같은 페이지를 본다."
        return "hermit has stored nothing yet: until its first store even MAP_PRIVATE shows the segment's own page."
    if "work" in facts:
        if korean:
            return "owner가 세마포어와 robust 뮤텍스를 함께 쥐고 일한다. 지금 k로 죽이면 둘의 차이가 보인다."
        return "owner works with a semaphore and a robust mutex in hand. Kill it now (k) and see which of the two recovers."
    if korean:
        return (
            "항목은 커널을 거치지 않고 메모리로 건너간다. consumer를 space로 붙잡으면 in이 돌아 out 바로 뒤에서 멈춘다."
        )
    return "Items cross through memory, not through the kernel. Hold consumer (space): `in` runs round to just behind `out`."
