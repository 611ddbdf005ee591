"""The commands: what `ipctui …` does. The terminal UI is imported only by those that draw."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence

from ipctui import __version__
from ipctui.cli import speech
from ipctui.cli.parser import Parser
from ipctui.lab.parameters import UsageError, printable, unknown

COMMANDS = ("run", "replay", "export", "list", "screenshot", "keys", "themes", "doctor", "clean")

_LONGEST_COMPLAINT = 1000

_EPILOG = """\
examples:
  ipctui                                     the opening screen: every mechanism, and the two models measured
  ipctui run pipe                            the ordinary pipe, live
  ipctui run pipe --variant deadlock
  ipctui run pipe --headless --for 3 > recording.jsonl
  ipctui run pipe --text --do "1:hold child" --do "4:release child"
  ipctui run pipe.toml                       a lecture: stops at its points, Enter goes on
  ipctui run pipe --record lecture.jsonl.gz
  ipctui replay lecture.jsonl.gz
  ipctui export lecture.jsonl.gz --to perfetto -o trace.json
  ipctui screenshot recording.jsonl -o picture.svg
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 the laboratory failed, 2 wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    speech.begin(words)
    try:
        return _dispatch(words)
    except UsageError as error:
        complain(error)
        return 2
    except BrokenPipeError:
        _abandon_stdout()
        return 0
    except KeyboardInterrupt:
        return 0
    except Exception as error:
        if os.environ.get("IPCTUI_TRACEBACK"):
            raise
        name = type(error).__name__
        complain(f"{error or name} ({name}; IPCTUI_TRACEBACK=1 shows where)")
        return 1


def complain(what: object) -> None:
    """One line on stderr in the person's language, whatever their own words in it were made of."""
    print(f"ipctui: {speech.complained(printable(str(what), _LONGEST_COMPLAINT))}", file=sys.stderr)


def _abandon_stdout() -> None:
    """Nobody reads stdout any more: let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _dispatch(words: list[str]) -> int:
    if words and not words[0].startswith("-") and words[0] not in COMMANDS:
        raise UsageError(unknown("command", words[0], COMMANDS))
    options = _parser().parse_args(words)
    options.lang = speech.settle(options.lang, options.ascii)
    match options.command:
        case None | "run":
            # Importing makes objects that stay: looking through them for garbage costs a tenth of the start.
            gc.disable()
            if options.command is None:
                from ipctui.cli.opening import opening

                return opening(options)
            from ipctui.cli.run import run

            return run(options)
        case "replay":
            from ipctui.cli.replay import replay

            return replay(options)
        case "export":
            from ipctui.cli.export import export

            return export(options)
        case "screenshot":
            from ipctui.cli.picture import screenshot

            return screenshot(options)
    from ipctui.cli import show

    return int(getattr(show, f"show_{options.command}")(options))


def _parser() -> argparse.ArgumentParser:
    from ipctui.cli.export import register

    parser = Parser(
        prog="ipctui",
        description="A laboratory of inter-process communication: real processes, real kernel objects.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"ipctui {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _session_options(parser, mechanism=False)
    run = commands.add_parser("run", help="open one mechanism with its workers running")
    _session_options(run, mechanism=True)
    replay = commands.add_parser("replay", help="open a recording: play, pause, step back and forth, seek")
    replay.add_argument("file", metavar="FILE")
    replay.add_argument("--headless", action="store_true", help="compute the summary from the records and print it")
    _look_options(replay)
    _look_options(register(commands))
    listing = commands.add_parser("list", help="mechanisms, variants, parameters, and whether they run here")
    listing.add_argument("--json", action="store_true", help="as JSON")
    _language_options(listing)
    picture = commands.add_parser("screenshot", help="a picture of a mechanism or a recording, without a terminal")
    picture.add_argument("what", metavar="MECHANISM|FILE")
    picture.add_argument("-o", "--output", required=True, metavar="OUT.svg|.png")
    picture.add_argument("--size", default="120x36", metavar="WxH", help="columns x lines (120x36)")
    picture.add_argument(
        "--at", type=float, metavar="SECONDS", help="moment to show (a recording's last; 3 s of a run)"
    )
    picture.add_argument("--variant", metavar="V")
    picture.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    picture.add_argument("--do", dest="commands", action="append", default=[], metavar="T:COMMAND")
    picture.add_argument("--select", default="", metavar="W", help="the process whose frame is heavy")
    picture.add_argument("--lecture", action="store_true", help="as lecture mode draws it, for a room")
    picture.add_argument("--zoom", default="", metavar="PART", help="one part with all the room: processes, contents …")
    _look_options(picture)
    keys = commands.add_parser("keys", help="the keys and what they do")
    keys.add_argument("--json", action="store_true", help="as JSON")
    _language_options(keys)
    _language_options(commands.add_parser("themes", help="the themes found, and whether each is valid"))
    _language_options(
        commands.add_parser("doctor", help="what this machine allows, and leftovers of dead laboratories")
    )
    _language_options(commands.add_parser("clean", help="remove those leftovers"))
    return parser


def _look_options(parser: argparse.ArgumentParser) -> None:
    # Without a default of its own, a command leaves alone what was said before it: ipctui --lang ko run …
    parser.add_argument("--theme", default=argparse.SUPPRESS, metavar="T", help="a theme's name (ipctui themes)")
    _language_options(parser)


def _language_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lang",
        default=argparse.SUPPRESS,
        choices=speech.LANGUAGES,
        help="language (the setting's, or the locale's)",
    )
    parser.add_argument(
        "--ascii", action="store_true", default=argparse.SUPPRESS, help="draw with ASCII alone, and say it in English"
    )


def _session_options(parser: argparse.ArgumentParser, mechanism: bool) -> None:
    if mechanism:
        parser.add_argument("mechanism", metavar="MECHANISM|FILE.toml", help="a mechanism, or a lecture's file")
        parser.add_argument("--variant", metavar="V")
        parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
        parser.add_argument("--headless", action="store_true", help="JSON lines on stdout, no screen")
        parser.add_argument("--text", action="store_true", help="for people: calls, changes of state, captions")
        parser.add_argument("--for", dest="seconds", type=float, metavar="SECONDS", help="end after this long")
        parser.add_argument(
            "--do", dest="commands", action="append", default=[], metavar="T:COMMAND", help='such as "0.5:hold child"'
        )
        parser.add_argument(
            "--record", default="", metavar="FILE", help="record to a new file; compressed when it ends in .gz"
        )
        parser.add_argument(
            "--record-limit", type=float, default=1000.0, metavar="MB", help="the recording's largest size (1000 MB)"
        )
    else:
        parser.set_defaults(
            theme="",
            lang="",
            ascii=False,
            mechanism="pipe",
            variant=None,
            settings=[],
            headless=False,
            text=False,
            seconds=None,
            commands=[],
            record="",
            record_limit=1000.0,
        )
    _look_options(parser)
