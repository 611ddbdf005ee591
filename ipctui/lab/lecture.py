"""A scenario being played: its steps given to a laboratory one after another, each when its time has come."""

from __future__ import annotations

from typing import Protocol

from ipctui.lab.scenario import Scenario, Step, Text
from ipctui.lab.state import LabState
from ipctui.trace.records import Event, Record


class Taught(Protocol):
    """The laboratory of a lecture."""

    @property
    def state(self) -> LabState:
        """The latest folded state."""

    def now(self) -> int:
        """Nanoseconds since the clock's zero."""

    def command(self, text: str, by: str = "script") -> None:
        """Carry out a command."""

    def tell(self, record: Record) -> None:
        """Put a record of the user's doing into the stream."""


class Lecture:
    """Plays a scenario; `beat` it after every tick of the laboratory.

    The lecture's clock counts the seconds that it waits for a step's time. It stands still while it waits for what a
    step expects, and at a stop.

    Args:
        stops: Whether it waits for `go_on` where the file says so.

    Attributes:
        step: The place of the step under way, from 0; the number of steps once it is over.
        stopped: It waits for a key.
        selected: The process that was selected last by the file, until somebody takes it.
        failed: What was expected and did not come true, a line each.
    """

    def __init__(self, scenario: Scenario, lab: Taught, stops: bool = True) -> None:
        self.scenario = scenario
        self.step = 0
        self.stopped = False
        self.selected = ""
        self.failed: list[str] = []
        self._lab = lab
        self._stops = stops
        self._clock = 0.0
        self._seconds: float | None = None
        self._expecting: float | None = None

    @property
    def over(self) -> bool:
        """Whether every step has been played."""
        return self.step >= len(self.scenario.steps)

    def beat(self, seconds: float) -> None:
        """Play as far as it can be played at a time of a monotonic clock, in seconds."""
        passed = 0.0 if self._seconds is None else max(0.0, seconds - self._seconds)
        self._seconds = seconds
        if self._expecting is None and not self.stopped:
            self._clock += passed
        while not self.over and not self.stopped:
            step = self.scenario.steps[self.step]
            if self._expecting is None:
                if step.at is not None and self._clock < step.at:
                    return
                for text in step.do:
                    self._lab.command(text, "script")
                self._expecting = seconds
                if step.do and step.expect:
                    # What is so before the commands have been carried out is not what came of them.
                    return
            if not self._come_true(step, seconds):
                return
            self._say(step)
            self._expecting = None
            if step.stop and self._stops:
                self.stopped = True
            else:
                self.step += 1

    def go_on(self) -> bool:
        """Go on after a stop; False when there is none."""
        if not self.stopped:
            return False
        self.stopped = False
        self.step += 1
        return True

    def _come_true(self, step: Step, seconds: float) -> bool:
        missing = [each.text for each in step.expect if not each.holds(self._lab.state)]
        assert self._expecting is not None
        if not missing:
            return True
        if seconds - self._expecting < step.within:
            return False
        what = f"{self.scenario.name}:{step.line}: {missing[0]!r} did not come true within {step.within:g} s"
        self.failed.append(f"{what}; {told(self._lab.state)}")
        return True

    def _say(self, step: Step) -> None:
        t = self._lab.now()
        if step.caption is not None:
            self._lab.tell(Event(t, "caption", None, dict(step.caption)))
        if step.mark is not None:
            # After the caption: who jumps to the mark reads what was said there.
            self._lab.tell(Event(t, "mark", None, _said(step.mark, "text")))
        self.selected = step.select or self.selected


def _said(text: Text, english: str) -> dict[str, str]:
    return {english if language == "en" else language: words for language, words in text.items()}


def told(state: LabState) -> str:
    """What everybody is doing, in a line."""
    said = []
    for name, process in state.processes.items():
        now = process.state
        what = "exited" if process.exited is not None else now.state if now is not None else "not started"
        call = f" in {now.before.name}" if what == "blocked" and now is not None and now.before is not None else ""
        said.append(f"{name} is {what}{call}")
    return ", ".join(said) or "nobody is there"
