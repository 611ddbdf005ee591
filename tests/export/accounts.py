"""What the export of a recording must count: its calls, its accesses, its messages, whatever the mechanism."""

from __future__ import annotations

import io
from pathlib import Path

from ipctui.export.messages import RECEIVES, SENDS
from ipctui.export.perfetto import write_perfetto
from ipctui.export.reading import Source
from ipctui.lab.fold import key
from ipctui.trace.recording import read_recording
from ipctui.trace.records import Access, Call, Process, Summary
from tests.export import chrome

RECEIPTS = RECEIVES | {"load", "process_vm_readv"}


def settle_accounts(path: Path, under_way: int = 0) -> chrome.Loaded:
    """The trace of a recording, taken by the strict reader and counted against the records; fails where they differ.

    Args:
        under_way: So many messages may have been received and not been counted yet when the recording ended: a worker
            is stopped between the two.
    """
    source = Source(path)
    out = io.StringIO()
    told = write_perfetto(source, out)
    loaded = chrome.load(out.getvalue())
    records = read_recording(path).records
    calls = [record for record in records if isinstance(record, Call)]
    accesses = [record for record in records if isinstance(record, Access)]
    assert len(loaded.of("call")) == told["calls"] == len(calls)
    assert len(loaded.of("access")) == told["accesses"] == len(accesses)
    assert told["slices_left_out"] == 0
    _slices_lie_where_they_were(loaded, [*calls, *accesses], chrome.nanoseconds(float(told["zero_us"])))
    _tracks_are_named(loaded, records)
    summary = records[-1]
    assert isinstance(summary, Summary)
    whole = not told["calls_not_in_the_recording"]
    _arrows_are_the_messages(loaded, [*calls, *accesses], summary, whole, under_way)
    return loaded


def _slices_lie_where_they_were(loaded: chrome.Loaded, records: list[Call | Access], zero: int) -> None:
    drawn = sorted(
        (each.begin - zero, each.end - zero, each.name) for each in loaded.slices if each.category != "state"
    )
    assert drawn == sorted((each.begin, max(each.begin, each.end), each.name) for each in records)


def _tracks_are_named(loaded: chrome.Loaded, records: object) -> None:
    names = {name.partition(" (pid ")[0] for name in loaded.processes.values()}
    for record in records:  # type: ignore[attr-defined]
        if isinstance(record, Call | Access) or (isinstance(record, Process) and record.event == "started"):
            assert key(record.process, record.cell) in names


def _arrows_are_the_messages(
    loaded: chrome.Loaded, records: list[Call | Access], summary: Summary, whole: bool, under_way: int
) -> None:
    sent = {
        (each.cell, name) for each in records if each.name in SENDS or each.name == "store" for name in each.message
    }
    got = {(each.cell, name) for each in records if each.name in RECEIPTS for name in each.message}
    for flow in loaded.flows:
        assert flow.into is not None
        assert flow.out.name in SENDS | {"store"}
        assert flow.into.name in RECEIPTS
        assert flow.out.begin < flow.into.end
    named = {flow.name for flow in loaded.flows}
    if not whole or summary.lost or summary.proofs.get("torn_messages"):
        assert named <= {name for _, name in sent}
        return
    assert named >= {name for _, name in sent & got}
    received = summary.proofs.get("received_messages")
    if not sent or received is None:
        return
    # Forged messages are received, and told apart from those that were honest.
    received += summary.proofs.get("forged_messages", 0)
    if _shared(records):
        assert len(loaded.flows) <= received + under_way
    else:
        assert received <= len(loaded.flows) <= received + under_way, (
            received,
            len(loaded.flows),
            sorted(sent),
            sorted(got),
        )


def _shared(records: list[Call | Access]) -> bool:
    """Whether a stream has several readers or writers: of a read only the first message is known then."""
    users: dict[tuple[str | None, str], set[int]] = {}
    for each in records:
        if each.name in ("read", "write"):
            users.setdefault((each.object, each.name), set()).add(each.pid)
    return any(len(pids) > 1 for pids in users.values())
