"""How the steps of a scenario are given to a laboratory."""

from __future__ import annotations

from collections.abc import Callable

from ipctui.lab.lecture import Lecture
from ipctui.lab.state import LabState, ProcessState
from ipctui.trace.records import Event, Record
from tests.lab.test_scenario import HEAD, parsed
from tests.lab.test_scenario_expected import process


class Lab:
    def __init__(self) -> None:
        self.state = LabState()
        self.given: list[str] = []
        self.told: list[Record] = []

    def now(self) -> int:
        return 42

    def command(self, text: str, by: str = "script") -> None:
        assert by == "script"
        self.given.append(text)

    def tell(self, record: Record) -> None:
        self.told.append(record)

    def becomes(self, *processes: ProcessState) -> None:
        self.state = LabState(processes={each.role: each for each in processes})


Play = Callable[..., Lecture]


def played(lab: Lab, text: str, stops: bool = True) -> Lecture:
    return Lecture(parsed(HEAD + text), lab, stops)


def test_steps_come_at_their_times_and_wait_at_a_stop_while_the_clock_stands_still() -> None:
    lab = Lab()
    lecture = played(
        lab,
        '[[step]]\nat = 1\ndo = "hold child"\nstop = true\n[[step]]\nat = 3\ndo = "release child"\nselect = "child"\n',
    )
    lecture.beat(100.0)
    lecture.beat(100.9)
    assert lab.given == []
    lecture.beat(101.1)
    assert lab.given == ["hold child"]
    assert lecture.stopped
    lecture.beat(200.0)
    assert lecture.stopped
    assert lecture.go_on()
    assert not lecture.go_on()
    lecture.beat(201.0)
    assert lab.given == ["hold child"], "at the stop the lecture's clock stood at 1.1"
    lecture.beat(203.0)
    assert lab.given == ["hold child", "release child"]
    assert lecture.over
    assert lecture.selected == "child"


def test_what_is_said_comes_once_what_is_expected_is_so() -> None:
    lab = Lab()
    lecture = played(
        lab,
        '[[step]]\ndo = "hold child"\nexpect = "child held"\nmark = { en = "m", ko = "표" }\n'
        'caption = { en = "c", ko = "글" }\n[[step]]\ndo = "release child"\n',
        stops=False,
    )
    lab.becomes(process("child", "held"))
    lecture.beat(0.0)
    assert lab.told == [], "it was so before the command"
    lab.becomes(process("child", "running"))
    lecture.beat(0.1)
    assert lab.told == []
    lab.becomes(process("child", "held"))
    lecture.beat(0.2)
    assert lab.told == [
        Event(42, "caption", None, {"en": "c", "ko": "글"}),
        Event(42, "mark", None, {"text": "m", "ko": "표"}),
    ]
    assert lecture.over
    assert lab.given == ["hold child", "release child"]
    assert lecture.failed == []


def test_what_does_not_come_true_is_told_with_file_line_and_what_is_so_and_the_lecture_goes_on() -> None:
    lab = Lab()
    lab.becomes(process("child", "blocked", "read"))
    lecture = played(lab, '\n[[step]]\nexpect = "child held"\nwithin = 2\n[[step]]\ndo = "kill child"\n')
    lecture.beat(10.0)
    lecture.beat(11.9)
    assert lecture.failed == []
    lecture.beat(12.1)
    assert lecture.failed == ["x.toml:3: 'child held' did not come true within 2 s; child is blocked in read"]
    assert lab.given == ["kill child"]


def test_without_stops_it_plays_to_its_end() -> None:
    lab = Lab()
    lecture = played(lab, "[[step]]\nstop = true\n[[step]]\nstop = true\n", stops=False)
    lecture.beat(0.0)
    assert lecture.over
    assert not lecture.stopped
