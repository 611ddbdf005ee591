"""What is remembered of an ALPC session: each client's handshake step by step, refusals, messages by their way."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from ipctui.trace.records import Call, Process, Record
from ipctui.trace.records import Channel as ChannelRecord

STEPS = ("connect", "accept", "pair", "handle", "port")
"""The handshake: opened and asked; let in; the private pair made; its handle sent; the client has its port."""
WAYS = {1: "port", 2: "section", 3: "direct", 4: "pieces", 5: "bare", 6: "copied"}
"""The names of the ways that programs number."""
COPIES = {"port": 2, "section": 2, "direct": 1, "pieces": 2}
"""Copies of a message: into the queue and out of it, into the section and out of it, or once across."""
_ASKS = re.compile(r'"@connect ([a-z]+[0-9]*)"')


class Memory:
    """The facts of a session, thawed for the length of one batch.

    Attributes:
        made: By client, `steps` (name of a step to when), `outcome` ("", "accepted", "refused", "no server"), `fd`.
        asking: The client whom the server is about to answer.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._before = facts
        self.made: dict[str, dict[str, Any]] = copy.deepcopy(dict(facts.get("made", {})))
        self.asking: str = facts.get("asking", "")
        self.accepted: int = facts.get("accepted", 0)
        self.refused: int = facts.get("refused", 0)
        self.unread: int = facts.get("unread", 0)
        self.why: str = facts.get("why", "")
        self.ways: dict[str, dict[str, Any]] = copy.deepcopy(dict(facts.get("ways", {})))

    def facts(self) -> dict[str, Any]:
        """The facts as they are now."""
        names = ("made", "asking", "accepted", "refused", "unread", "why", "ways")
        return {name: getattr(self, name) for name in names}

    @property
    def changed(self) -> bool:
        """Whether the batch told anything."""
        return any(self._before.get(name, type(value)()) != value for name, value in self.facts().items())

    def add(self, record: Record) -> None:
        """One record more."""
        if isinstance(record, Call):
            if record.process.startswith("client"):
                self._client(record)
            elif record.process == "server":
                self._server(record)
        elif isinstance(record, ChannelRecord) and "rows" in record.facts:
            self._measured(record)
        elif isinstance(record, Process) and record.event == "exited":
            self.made.pop(record.process, None)

    def _client(self, call: Call) -> None:
        who = self.made.get(call.process)
        if call.name == "connect":
            outcome = "" if call.result == 0 else "no server"
            steps = {"connect": call.begin} if call.result == 0 else {}
            self.made[call.process] = {"steps": steps, "outcome": outcome, "t": call.end}
        elif call.name == "recvmsg" and who is not None and not who["outcome"] and call.result is not None:
            if "@accepted" in call.args and "msg_control" in call.args:
                who["steps"]["port"] = call.end
                who["outcome"] = "accepted"
                self.accepted += 1
            elif "@refused" in call.args or call.result <= 0:
                who["outcome"] = "refused"
                self.refused += 1
            who["t"] = call.end
        elif call.name == "recv" and call.result and call.result > 0 and '"@refused' in call.args:
            self.unread += 1
            self.why = call.args.partition('"@refused ')[2].partition('"')[0]

    def _server(self, call: Call) -> None:
        found = _ASKS.search(call.args) if call.name == "recv" else None
        if found is not None:
            self.asking = found[1]
            # Let in before it was read what it asks for.
            self._step("accept", call.begin)
        elif call.name == "socketpair":
            self._step("pair", call.end)
        elif call.name == "sendmsg" and "@accepted" in call.args and call.result and call.result > 0:
            self._step("handle", call.end)

    def _step(self, name: str, t: int) -> None:
        client = self.made.get(self.asking)
        if client is None:
            # Decoded in the same tick before the client's own calls are.
            client = self.made[self.asking] = {"steps": {}, "outcome": "", "t": t}
        client["steps"][name] = t

    def _measured(self, record: ChannelRecord) -> None:
        latest = record.facts.get("latest")
        ways: dict[str, dict[str, Any]] = {}
        for row in record.facts["rows"]:
            way = ways.setdefault(row["way"], {"count": 0, "size": 0, "last": 0, "median": 0})
            way["count"] += row["count"]
            fresh = latest is not None and (row["way"], row["size"]) == (latest["way"], latest["size"])
            before = self.ways.get(row["way"], {})
            if fresh or not before:
                way.update(size=row["size"], last=row["last"], median=row["median"])
            elif not way["size"]:
                way.update({name: before[name] for name in ("size", "last", "median")})
        self.ways = ways
