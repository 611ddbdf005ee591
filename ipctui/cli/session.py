"""What the commands that run a laboratory share: choosing it, its script, and the loop without a screen."""

from __future__ import annotations

import signal
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ipctui.lab import commands
from ipctui.lab.channel import Channel, Variant, lacking
from ipctui.lab.launch import LauncherClient, LauncherError
from ipctui.lab.lecture import Lecture
from ipctui.lab.parameters import UsageError, printable, settle, unknown
from ipctui.lab.session import Lab, LabError
from ipctui.mechanisms import catalogue
from ipctui.trace.records import Record

TICK = 0.04


@dataclass(frozen=True, slots=True)
class Choice:
    """A laboratory to run: its mechanism, variant and values."""

    channel: Channel
    variant: Variant
    values: dict[str, object]


def choose(options: Namespace) -> Choice:
    """What the options name.

    Raises:
        UsageError: an unknown mechanism, variant or parameter, a value out of range, or a machine that cannot.
    """
    channel = catalogue.channel(options.mechanism)
    variant = variant_of(channel, options.variant)
    values = settle(channel.parameters(), variant.values, options.settings)
    channel.check(variant, values)
    why = lacking(channel, variant)
    if why is not None:
        raise UsageError(f"{channel.name} {variant.name} does not run here: {why}")
    return Choice(channel, variant, values)


def variant_of(channel: Channel, name: str | None) -> Variant:
    """A variant by its name; the first when none is named.

    Raises:
        UsageError: there is none of this name.
    """
    if name is None:
        return channel.variants[0]
    for variant in channel.variants:
        if variant.name == name:
            return variant
    raise UsageError(unknown(f"variant of {channel.name}", name, [variant.name for variant in channel.variants]))


Script = list[tuple[float, str]]


def script_of(texts: Sequence[str], channel: Channel) -> Script:
    """The commands of `--do "T:COMMAND"`, by time.

    Raises:
        UsageError: a text without a time, or a command that there is not.
    """
    script = []
    for text in texts:
        when, colon, command = text.partition(":")
        try:
            seconds = float(when)
        except ValueError:
            seconds = -1.0
        if not colon or not 0 <= seconds < 1e9:
            raise UsageError(f'--do {printable(text)!r}: write "SECONDS:COMMAND", for example "0.5:hold child"')
        commands.check(command, channel.commands)
        script.append((seconds, command))
    return sorted(script, key=lambda line: line[0])


@contextmanager
def laboratory(choice: Choice) -> Iterator[Lab]:
    """A running laboratory that is gone when the block ends, however it ends.

    Raises:
        LabError: it could not be started.
    """
    try:
        launcher = LauncherClient()
    except LauncherError as error:
        raise LabError(str(error)) from None
    try:
        lab = Lab(choice.channel, choice.variant, choice.values, launcher)
        try:
            yield lab
        finally:
            lab.close()
    finally:
        launcher.close()


class Interrupted:
    """Whether SIGINT or SIGTERM has come: the laboratory then ends in order, its summary first."""

    def __init__(self) -> None:
        self.now = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self.now = True


def run_script(
    lab: Lab,
    script: Script,
    seconds: float | None,
    take: Callable[[list[Record]], bool],
    interrupted: Interrupted,
    lecture: Lecture | None = None,
) -> None:
    """Tick until the time is up, giving the script's commands at their times; `take` returns False to end.

    A lecture is played along; without a time it ends when that is over.
    """
    script = list(script)
    while not interrupted.now and lab.alive:
        now = lab.now() / 1e9
        while script and script[0][0] <= now:
            lab.command(script.pop(0)[1], "script")
        if not take(lab.batch()) or (seconds is not None and now >= seconds):
            break
        if lecture is not None:
            lecture.beat(time.monotonic())
            if seconds is None and lecture.over:
                break
        pause = TICK
        for moment in ([script[0][0]] if script else []) + ([seconds] if seconds is not None else []):
            pause = min(pause, max(moment - lab.now() / 1e9, 0.001))
        time.sleep(pause)
    take(lab.finish())
    if not lab.alive:
        raise LabError(lab.problem)
