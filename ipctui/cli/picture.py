"""`ipctui screenshot`: a picture of a mechanism or of a recording, drawn as the screen draws it."""

from __future__ import annotations

import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from ipctui.cli import complain
from ipctui.cli.session import Interrupted, choose, laboratory, run_script, script_of
from ipctui.lab.fitting import fitted
from ipctui.lab.parameters import UsageError, printable, unknown
from ipctui.lab.session import LabError
from ipctui.lab.state import LabState
from ipctui.lab.timeline import folded
from ipctui.mechanisms import catalogue
from ipctui.trace.recording import Recording, RecordingError, RecordingFile
from ipctui.trace.records import Record, Summary
from ipctui.widgets.view import View

_RUN_SECONDS = 3.0
_SIZE = re.compile(r"([0-9]{1,3})x([0-9]{1,3})")


def screenshot(options: Namespace) -> int:
    """Draw and write the picture; the exit status."""
    from ipctui.cli.screen import check_theme
    from ipctui.export.picture import PictureError, write_picture
    from ipctui.tui.lecture import THEME as LECTURE_THEME
    from ipctui.tui.snapshot import picture
    from ipctui.tui.themes import DEFAULT_THEME, find_themes

    size = _size(options.size)
    themes, _ = find_themes()
    theme = options.theme or (LECTURE_THEME if options.lecture and LECTURE_THEME in themes else DEFAULT_THEME)
    check_theme(theme, themes)
    target = Path(options.output)
    if target.suffix not in (".svg", ".png"):
        raise UsageError(f"-o {printable(options.output)}: the picture's name ends in .svg or .png")
    try:
        state, name = _state(options)
        pane = catalogue.pane(name)
        zooms = [offer.zoom for offer in pane.offers if offer.zoom]
        if options.zoom and options.zoom not in zooms:
            raise UsageError(f"--zoom {unknown('part', options.zoom, zooms)}")
        if options.select and options.select not in state.processes:
            raise UsageError(f"--select {unknown('process', options.select, state.processes)}")
        view = View(
            selected=options.select,
            ascii=options.ascii,
            language=options.lang,
            zoom=options.zoom,
            now=rounded(state.t),
            replay=_is_recording(options.what),
            lecture=options.lecture,
        )
        can = frozenset({"seek"} if view.replay else {"command"})
        write_picture(picture(state, pane, view, size, themes[theme], can=can), target)
    except (RecordingError, PictureError, LabError) as error:
        complain(error)
        return 1
    return 0


def rounded(t: int) -> int:
    """A moment as the screen shows it: in whole tenths of a second."""
    return t // 100_000_000 * 100_000_000


def _size(text: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text)
    if found is None or int(found[1]) < 80 or int(found[2]) < 24:
        raise UsageError(f"--size {printable(text)}: COLUMNSxLINES, from 80x24 to 999x999")
    return int(found[1]), int(found[2])


def _is_recording(what: str) -> bool:
    return what not in catalogue.NAMES or Path(what).is_file()


def _state(options: Namespace) -> tuple[LabState, str]:
    """The state to draw, and its mechanism's name."""
    if options.at is not None and not 0 <= options.at < 1e9:
        raise UsageError("--at: seconds, 0 or more")
    path = Path(options.what)
    if not _is_recording(options.what):
        return _run(options), options.what
    if not path.exists():
        why = unknown("mechanism", options.what, catalogue.NAMES)
        raise UsageError(f"{printable(options.what)}: no file of this name, and {why}")
    file = RecordingFile(path)
    try:
        channel = catalogue.channel(file.header.mechanism)
        end = None if options.at is None else int(options.at * 1e9)
        state = fitted(file, channel, until=end)
        for problem in file.told():
            complain(problem)
        return state if end is None else replace(state, t=end), channel.name
    finally:
        file.close()


def replayed(recording: Recording, at: float | None) -> LabState:
    """The state of a recording at a moment in seconds, or at its end.

    Raises:
        UsageError: its mechanism does not exist here.
    """
    channel = catalogue.channel(recording.header.mechanism)
    end = None if at is None else int(at * 1e9)
    records: list[Record] = [recording.header]
    records += [
        record
        for record in recording.records
        if not isinstance(record, Summary) and (end is None or _time(record) <= end)
    ]
    state, _ = folded(LabState(), records, channel.reduce)
    return state if end is None else replace(state, t=end)


def _time(record: Record) -> int:
    return int(getattr(record, "t", 0))


def _run(options: Namespace) -> LabState:
    options.mechanism = options.what
    choice = choose(options)
    script = script_of(options.commands, choice.channel)
    interrupted = Interrupted()
    last = LabState()
    with laboratory(choice) as lab:

        def take(records: list[Record]) -> bool:
            nonlocal last
            if not any(isinstance(record, Summary) for record in records):
                last = lab.state
            return True

        run_script(lab, script, options.at if options.at is not None else _RUN_SECONDS, take, interrupted)
    return last
