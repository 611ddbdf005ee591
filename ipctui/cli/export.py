"""`ipctui export`: a recording for other tools, written in one of three formats."""

from __future__ import annotations

import io
import os
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from ipctui.cli import complain
from ipctui.lab.parameters import UsageError, printable, unknown
from ipctui.trace.text import grouped

if TYPE_CHECKING:
    from ipctui.export.reading import Source

FORMATS = ("perfetto", "asciicast", "text")
_PARTS = ("calls", "ladder")
_TIMES = ("zero", "relative", "clock")
_FASTEST = 60.0
_NARROWEST, _WIDEST = 40, 1000

Writer = Callable[[IO[str]], None]
_EPILOG = """\
formats:
  perfetto    a trace in JSON for ui.perfetto.dev and trace_processor: tracks, calls, states, messages as arrows
  asciicast   the pane as a terminal session (v3) for asciinema: --size --theme --lang --fps --zoom --select
  text        the calls as strace writes them, and the messages as a ladder: --only --times --width
"""


def register(commands: _SubParsersAction[Any]) -> ArgumentParser:
    """Add the command to the command line; the parser, for the options that all commands share."""
    parser: ArgumentParser = commands.add_parser(
        "export",
        help="a recording as a Perfetto trace, a terminal session or text",
        epilog=_EPILOG,
    )
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--to", required=True, metavar="|".join(FORMATS), help="the format")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file, replaced if there; - is stdout")
    parser.add_argument("--size", default="120x36", metavar="WxH", help="asciicast: columns x lines (120x36)")
    parser.add_argument("--fps", type=float, default=10.0, metavar="N", help="asciicast: frames a second at most (10)")
    parser.add_argument("--select", default="", metavar="W", help="asciicast: the process whose frame is heavy")
    parser.add_argument("--zoom", default="", metavar="PART", help="asciicast: one part with all the room")
    parser.add_argument("--only", default="", metavar="|".join(_PARTS), help="text: one part instead of both")
    parser.add_argument(
        "--times", default="zero", metavar="|".join(_TIMES), help="text: seconds since zero, strace's -r, or its -tt"
    )
    parser.add_argument("--width", type=int, default=80, metavar="N", help="text: columns of the ladder (80)")
    return parser


def export(options: Namespace) -> int:
    """Write the export; the exit status."""
    from ipctui.export.reading import Source
    from ipctui.export.target import TargetError
    from ipctui.trace.recording import RecordingError

    _check_words(options)
    path = Path(options.file)
    if not path.exists():
        raise UsageError(f"{printable(options.file)}: no file of this name")
    try:
        source = Source(path)
        write = _WRITERS[options.to](source, options)
        with _target(options.output, path) as out:
            write(out)
    except (RecordingError, TargetError) as error:
        complain(error)
        return 1
    for problem in source.told():
        complain(problem)
    return 0


def _check_words(options: Namespace) -> None:
    if options.to not in FORMATS:
        raise UsageError(f"--to: {unknown('format', options.to, FORMATS)}")
    if options.only and options.only not in _PARTS:
        raise UsageError(f"--only: {unknown('part', options.only, _PARTS)}")
    if options.times not in _TIMES:
        raise UsageError(f"--times: {unknown('way to tell times', options.times, _TIMES)}")
    if not _NARROWEST <= options.width <= _WIDEST:
        raise UsageError(f"--width {options.width}: from {_NARROWEST} to {_WIDEST} columns")
    if not 0 < options.fps <= _FASTEST:
        raise UsageError(f"--fps {options.fps:g}: more than 0, at most {_FASTEST:g} frames a second")


@contextmanager
def _target(name: str, source: Path) -> Iterator[IO[str]]:
    """Standard output, or a file that appears whole or not at all."""
    from ipctui.export.target import whole_file

    if name == "-":
        with open(1, "w", encoding="utf-8", errors="replace", newline="\n", closefd=False) as out:
            yield out
        return
    path = Path(name)
    if path.exists() and os.path.samefile(path, source):
        raise UsageError(f"-o {printable(name)}: that is the recording itself")
    with whole_file(path) as file:
        out = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="\n")
        yield out
        out.flush()
        out.detach()


def _perfetto(source: Source, options: Namespace) -> Writer:
    from ipctui.export.perfetto import write_perfetto

    def write(out: IO[str]) -> None:
        told = write_perfetto(source, out, options.lang)
        if told["calls_not_in_the_recording"]:
            missing = grouped(told["calls_not_in_the_recording"])
            complain(f"{options.file}: {missing} calls are not in the recording, but in its counters")
        if told["slices_left_out"]:
            complain(f"{options.file}: {grouped(told['slices_left_out'])} calls overlap others; left out")

    return write


def _asciicast(source: Source, options: Namespace) -> Writer:
    from ipctui.cli.picture import _size
    from ipctui.cli.screen import check_theme
    from ipctui.export.asciicast import Cast, write_asciicast
    from ipctui.mechanisms import catalogue
    from ipctui.tui.themes import DEFAULT_THEME, find_themes
    from ipctui.widgets.view import View

    size = _size(options.size)
    themes, _ = find_themes()
    theme = options.theme or DEFAULT_THEME
    check_theme(theme, themes)
    channel = catalogue.channel(source.header.mechanism)
    pane = catalogue.pane(channel.name)
    zooms = [offer.zoom for offer in pane.offers if offer.zoom]
    if options.zoom and options.zoom not in zooms:
        raise UsageError(f"--zoom {unknown('part', options.zoom, zooms)}")
    view = View(selected=options.select, ascii=options.ascii, language=options.lang, zoom=options.zoom)
    cast = Cast(size, options.fps, themes[theme], view)
    return lambda out: write_asciicast(source, channel, pane.draw, cast, out)


def _text(source: Source, options: Namespace) -> Writer:
    from ipctui.export.text import write_text

    parts = (options.only,) if options.only else _PARTS
    return lambda out: write_text(
        source,
        out,
        parts=parts,
        times=options.times,
        width=options.width,
        language=options.lang,
        ascii=options.ascii,
    )


_WRITERS: dict[str, Callable[[Source, Namespace], Writer]] = {
    "perfetto": _perfetto,
    "asciicast": _asciicast,
    "text": _text,
}
