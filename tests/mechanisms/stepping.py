"""Holding and stepping a real process so that a test knows where it stands, however slow the machine is."""

from tests.lab.conftest import Bench


def held(lab: Bench, role: str, call: str | None = None, seconds: float = 5.0) -> None:
    """Hold a process, and wait until it stands at its gate (before `call`, where one is named)."""
    assert lab.do(f"hold {role}").startswith(("done", "pending"))
    lab.until_state(role, "held", call, seconds)
    lab.tick()  # the words of a ring are read one after the other: what it stands before is certain at the second look


def stepped(lab: Bench, role: str, seconds: float = 10.0) -> None:
    """Let a held process make one operation, and wait until it stands before another, or sleeps in this one.

    A state that was seen before the step is not taken for the one after it: each stand at the gate has its own time.
    """
    before = lab.state(role)
    assert before.state == "held", lab.told()
    assert lab.do(f"step {role}") == "done"

    def stands() -> bool:
        now = lab.state(role)
        return now.state in ("blocked", "exited") or (now.state == "held" and now.since != before.since)

    lab.until(stands, seconds, f"{role} past {before.before and before.before.name}")
    lab.tick()


def stepped_to(lab: Bench, role: str, call: str, most: int = 40) -> None:
    """Step a held process on until it stands before an operation of this name; while it sleeps, wait for its waker."""
    for _ in range(most):
        lab.until_state(role, "held")
        if lab.is_in(role, "held", call):
            return
        stepped(lab, role)
    raise AssertionError(f"{role} has not come to {call} in {most} operations; {lab.told()}")
