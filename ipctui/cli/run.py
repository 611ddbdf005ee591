"""`ipctui` and `ipctui run`: on the screen, as JSON lines, or as text for people."""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ipctui.cli import complain
from ipctui.cli.output import Output
from ipctui.cli.scenario import is_scenario, scenario_of, status_of
from ipctui.cli.session import Choice, Interrupted, Script, choose, laboratory, run_script, script_of
from ipctui.cli.speech import spoken
from ipctui.lab.lecture import Lecture
from ipctui.lab.parameters import UsageError
from ipctui.lab.recorder import Recorder, RecorderError
from ipctui.lab.scenario import Scenario
from ipctui.lab.session import Lab, LabError
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Record

_TEXT_SECONDS = 5.0


def run(options: Namespace) -> int:
    """Run one mechanism; the exit status."""
    scenario = None
    if is_scenario(options.mechanism):
        scenario, choice = scenario_of(options)
    else:
        choice = choose(options)
    script = script_of(options.commands, choice.channel)
    if options.headless and options.text:
        raise UsageError("--headless and --text exclude each other: the first is for programs, the second for people")
    if options.seconds is not None and not 0 < options.seconds < 1e9:
        raise UsageError("--for: seconds, more than 0")
    if not 1 <= options.record_limit <= 1e6:
        raise UsageError("--record-limit: megabytes, from 1 to 1,000,000")
    if options.theme:
        from ipctui.cli.screen import check_theme
        from ipctui.tui.themes import find_themes

        check_theme(options.theme, find_themes()[0])
    try:
        if options.headless or options.text or not has_terminal():
            gc.enable()
        if options.headless:
            return _headless(choice, script, options, scenario)
        if options.text or not has_terminal():
            return _text(choice, script, options, scenario)
        from ipctui.cli.screen import screen

        return screen(options, choice, script, scenario)
    except (LabError, RecorderError) as error:
        complain(error)
        return 1


def has_terminal() -> bool:
    """Whether a screen can be drawn; a browser session of textual-serve is a terminal."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _headless(choice: Choice, script: Script, options: Namespace, scenario: Scenario | None) -> int:
    interrupted = Interrupted()
    with laboratory(choice) as lab, recorded(lab, options):
        output = Output()
        lecture = Lecture(scenario, lab, stops=False) if scenario is not None else None
        run_script(lab, script, options.seconds, output.records, interrupted, lecture)
        output.finish()
    return status_of(lecture)


def _text(choice: Choice, script: Script, options: Namespace, scenario: Scenario | None) -> int:
    from ipctui.cli.narrate import Narrator
    from ipctui.widgets.particles import said

    caption, language = catalogue.caption(choice.channel.name), spoken(sys.stdout)
    narrator = Narrator(lambda state: said(caption, state, language), language)
    interrupted = Interrupted()
    with laboratory(choice) as lab, recorded(lab, options):
        output = Output()

        def take(records: list[Record]) -> bool:
            return output.text("".join(f"{line}\n" for line in narrator.lines(records, lab.state)))

        lecture = Lecture(scenario, lab, stops=False) if scenario is not None else None
        seconds = _TEXT_SECONDS if options.seconds is None and lecture is None else options.seconds
        run_script(lab, script, seconds, take, interrupted, lecture)
        output.finish()
    return status_of(lecture)


@contextmanager
def recorded(lab: Lab, options: Namespace) -> Iterator[None]:
    """A laboratory that is recorded as long as the block lasts, where `--record` asks for it.

    A recording that ends by itself is told in one line on stderr; the laboratory goes on.

    Raises:
        RecorderError: the file cannot be recorded to.
    """
    if not options.record:
        yield
        return
    recorder = Recorder(Path(options.record), lab.channel, lambda: lab.state, limit=limit_of(options))
    said = ""

    def take(records: Sequence[Record]) -> None:
        nonlocal said
        recorder.take(records)
        if recorder.problem != said:
            said = recorder.problem
            complain(said)

    lab.listeners.append(take)
    try:
        yield
    finally:
        recorder.end()
        if recorder.problem != said:
            complain(recorder.problem)


def limit_of(options: Namespace) -> int:
    """The largest size of a recording, in bytes."""
    return int(options.record_limit * 1_000_000)
