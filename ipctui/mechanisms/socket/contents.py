"""Every socket in full, for the enlarged part of the pane."""

from __future__ import annotations

from ipctui.lab.state import LabState
from ipctui.mechanisms.socket.drawing import backlog_spans, place_line, window_spans
from ipctui.mechanisms.socket.ends import Facts, channels, how_many, parameter
from ipctui.mechanisms.socket.words import word
from ipctui.trace.records import Channel
from ipctui.trace.text import grouped
from ipctui.widgets.canvas import Line, Span
from ipctui.widgets.hexdump import hex_lines


def contents_lines(state: LabState, language: str, width: int) -> list[Line]:
    """Every socket in full: both addresses, state, queues, true buffer sizes, and the first bytes that wait."""
    lines: list[Line] = [place_line(state, language, width), []]
    asked = f"SO_SNDBUF {grouped(parameter(state, 'sndbuf', 0))}, SO_RCVBUF {grouped(parameter(state, 'rcvbuf', 0))}"
    for channel in channels(state):
        facts = channel.facts
        ends = facts["local"] or "–"
        if facts["peer"]:
            ends += f" ▸ {facts['peer']}"
        lines.append([(f" {facts['process']} {facts['fd']} ", "title"), (f"{facts['protocol']} {ends}", "text")])
        holder = f" ◂▸ {facts['holder']}" if facts.get("holder") else ""
        state_of = facts["state"]
        if facts["protocol"] == "udp":
            state_of = word(language, "connected" if facts["peer"] else "unconnected")
        lines.append([(f"   {facts['object']} {state_of}{holder} ", "dim"), (f"[{facts['method']}]", "dim")])
        if facts["kind"] == "listen":
            lines.append([("   ", "text"), *backlog_spans(state, language)])
        else:
            lines += _queue_lines(facts, channel, language)
            lines.append(
                [
                    (f"   {word(language, 'asked')} {asked} ▸ ", "dim"),
                    (f"{word(language, 'got')} {grouped(facts['send_room'])}, {grouped(facts['room'])} B", "number"),
                ]
            )
        lines += [
            [(f"   {item.size:>6} B ", "number"), (f'"{item.text}"', "message" if item.id else "foreign")]
            for item in channel.items
        ]
        if channel.head:
            lines += hex_lines(bytes.fromhex(channel.head)[:64], width)
        lines.append([])
    return lines


def _queue_lines(facts: Facts, channel: Channel, language: str) -> list[Line]:
    memory = f"({word(language, 'memory')} {grouped(facts['taken'])} / {grouped(facts['room'])} B) "
    line: list[Span] = [(f"   {word(language, 'receive queue')} ", "text")]
    if facts["protocol"] == "udp":
        # SIOCINQ tells the next datagram alone: udp(7).
        line += [(f"{how_many(channel)} {word(language, 'datagrams')} ", "number"), (memory, "dim")]
        if facts["drops"]:
            line.append((f"{word(language, 'lost')} {grouped(facts['drops'])}", "error"))
        return [line]
    line += [(f"{grouped(facts['waiting'])} B ", "number"), (memory, "dim")]
    line += [(f"· {word(language, 'send queue')} ", "text"), (f"{grouped(facts['unsent'])} B ", "number")]
    if facts["window"] is None:
        return [line]
    second: list[Span] = [("   ", "text"), *window_spans(facts, language)]
    if facts.get("retransmits"):
        second.append((f" · {word(language, 'retransmits')} {facts['retransmits']}", "warning"))
    return [line, second]
