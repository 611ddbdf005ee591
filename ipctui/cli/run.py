"""`ipctui` and `ipctui run`: on the screen, as JSON lines, or as text for people."""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace

from ipctui.cli.output import Output
from ipctui.cli.session import Choice, Interrupted, choose, laboratory, run_script, script_of
from ipctui.lab.parameters import UsageError
from ipctui.lab.session import LabError
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Record

_TEXT_SECONDS = 5.0


def run(options: Namespace) -> int:
    """Run one mechanism; the exit status."""
    choice = choose(options)
    script = script_of(options.commands, choice.channel)
    if options.headless and options.text:
        raise UsageError("--headless and --text exclude each other: the first is for programs, the second for people")
    if options.seconds is not None and not 0 < options.seconds < 1e9:
        raise UsageError("--for: seconds, more than 0")
    if options.theme:
        from ipctui.cli.screen import check_theme
        from ipctui.tui.themes import find_themes

        check_theme(options.theme, find_themes()[0])
    try:
        if options.headless or options.text or not has_terminal():
            gc.enable()
        if options.headless:
            return _headless(choice, script, options.seconds)
        if options.text or not has_terminal():
            return _text(choice, script, options)
        from ipctui.cli.screen import screen

        return screen(options, choice, script)
    except LabError as error:
        print(f"ipctui: {error}", file=sys.stderr)
        return 1


def has_terminal() -> bool:
    """Whether a screen can be drawn; a browser session of textual-serve is a terminal."""
    if os.environ.get("TEXTUAL_DRIVER"):
        return True
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _headless(choice: Choice, script: list[tuple[float, str]], seconds: float | None) -> int:
    interrupted = Interrupted()
    with laboratory(choice) as lab:
        output = Output()
        run_script(lab, script, seconds, output.records, interrupted)
        output.finish()
    return 0


def _text(choice: Choice, script: list[tuple[float, str]], options: Namespace) -> int:
    from ipctui.cli.narrate import Narrator

    caption = catalogue.caption(choice.channel.name)
    narrator = Narrator(lambda state: caption(state, options.lang))
    interrupted = Interrupted()
    with laboratory(choice) as lab:
        output = Output()

        def take(records: list[Record]) -> bool:
            return output.text("".join(f"{line}\n" for line in narrator.lines(records, lab.state)))

        seconds = options.seconds if options.seconds is not None else _TEXT_SECONDS
        run_script(lab, script, seconds, take, interrupted)
        output.finish()
    return 0
