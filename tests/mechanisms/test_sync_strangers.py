"""What strangers do to the cells' channels: names and semaphores that somebody outside removes."""

import os
from collections.abc import Iterator

import posix_ipc
import pytest

from ipctui.mechanisms.sync.caption import caption
from ipctui.worker.semaphore_sets import key_of_name, remove_set
from tests.lab.conftest import Bench
from tests.mechanisms.cells import CELLS, Open, channel, done, opened, quick, until_offered

pytestmark = pytest.mark.real


@pytest.fixture
def cells() -> Iterator[Open]:
    yield from opened("sync")


def test_semaphores_that_somebody_removes_end_their_cell_alone_and_the_caption_says_so(cells: Open) -> None:
    lab = quick(cells, "zero")
    until_offered(lab, 3)
    lab.until(lambda: channel(lab, "nn").facts.get("semaphores") is not None)
    (name,) = [name for kind, name in lab.lab.workers.plan.names if kind == "semaphores" and name in segment(lab, "bb")]
    assert remove_set(key_of_name(name))
    lab.until_ended("bb/sender")
    lab.until_ended("bb/receiver")
    lab.until(lambda: "somebody outside has removed its semaphores" in caption(lab.lab.state, "en"))
    assert "ipcrm" in caption(lab.lab.state, "ko")
    lab.until(lambda: channel(lab, "bb").refused == "its semaphores are gone")
    before = done(lab, "bn/sender").accepted
    lab.until(lambda: done(lab, "bn/sender").accepted > before + 3)
    lab.do("restart bb/receiver")
    lab.do("restart bb/sender")
    lab.until(lambda: channel(lab, "bb").refused is None and lab.process("bb/receiver").exited is None)


@pytest.mark.parametrize("carrier", ["zero", "bounded", "unbounded"])
def test_a_name_that_somebody_removes_is_told_and_both_go_on(cells: Open, carrier: str) -> None:
    lab = quick(cells, carrier)
    until_offered(lab, 3)
    assert "removed the name" not in caption(lab.lab.state, "en")
    name = segment(lab, "bb")
    if carrier == "bounded":
        posix_ipc.unlink_message_queue(name)
    else:
        os.unlink(name)
    said = f"bb: somebody outside has removed the name {name}."
    lab.until(lambda: caption(lab.lab.state, "en").startswith(said))
    assert name in caption(lab.lab.state, "ko")
    before = done(lab, "bb/receiver").received
    lab.until(lambda: done(lab, "bb/receiver").received > before + 3)
    lab.lab.restart()
    lab.until(lambda: all(not channel(lab, cell).facts.get("unnamed") for cell in CELLS))
    assert "removed the name" not in caption(lab.lab.state, "en")


def segment(lab: Bench, cell: str) -> str:
    return channel(lab, cell).object
