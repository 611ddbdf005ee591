"""Laboratories of any mechanism on one launcher, for the tests with real processes."""

from __future__ import annotations

from ipctui.lab.channel import Channel
from ipctui.lab.launch import LauncherClient
from ipctui.lab.parameters import settle
from ipctui.lab.session import Lab
from ipctui.mechanisms import catalogue
from tests.lab.conftest import Bench


class Laboratories:
    """Opens laboratories, and closes them all.

    Attributes:
        labs: Those opened so far.
    """

    def __init__(self) -> None:
        self.labs: list[Lab] = []
        self._launcher = LauncherClient()

    def open(self, mechanism: str, variant: str, **values: object) -> Bench:
        """A laboratory on the bench; raises UsageError for values that cannot be."""
        channel: Channel = catalogue.channel(mechanism)
        chosen = next(one for one in channel.variants if one.name == variant)
        settled = settle(channel.parameters(), chosen.values, [f"{name}={value}" for name, value in values.items()])
        channel.check(chosen, settled)
        self.labs.append(Lab(channel, chosen, settled, self._launcher))
        return Bench(self.labs[-1])

    def close(self) -> None:
        """End every process, and the launcher."""
        for lab in self.labs:
            lab.close()
        self._launcher.close()
