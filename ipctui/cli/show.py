"""The commands that only tell: list, keys, themes, doctor; and clean."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from typing import Any

from rich.cells import cell_len

from ipctui.cli.scenario import shipped
from ipctui.cli.speech import can_write, filled, said, spoken, tell
from ipctui.kernel.machine import capabilities
from ipctui.lab.channel import Channel, lacking
from ipctui.lab.leftovers import find_leftovers
from ipctui.lab.parameters import Parameter
from ipctui.lab.scenario import load_scenario
from ipctui.mechanisms import catalogue


def show_list(options: Namespace) -> int:
    """Every mechanism with variants, roles and parameters, and whether this machine can run it."""
    channels = [catalogue.channel(name) for name in catalogue.NAMES]
    if options.json:
        _tell_json([_described(channel) for channel in channels])
        return 0
    for channel in channels:
        _tell_channel(channel)
    tell(said("scenarios (ipctui run NAME)"))
    language = spoken(sys.stdout)
    for path in shipped():
        title = load_scenario(path, catalogue.channel).title
        tell(f"    {path.name:<20} {title.get(language) or title.get('en', '')}")
    return 0


def _tell_channel(channel: Channel) -> None:
    why = channel.unavailable()
    tell(f"{channel.name}  {said(channel.title)}: {said(channel.about)}")
    tell(f"  {said('runs here') if why is None else filled('does not run here: {0}', said(why))}")
    tell(f"  {said('variants')}")
    for variant in channel.variants:
        tell(f"    {variant.name:<14} {said(variant.about)} ({', '.join(variant.roles)})")
        if why is None and (reason := lacking(channel, variant)):
            tell(f"    {'':<14} {filled('does not run here: {0}', said(reason))}")
    tell(f"  {said('parameters')}")
    for parameter in channel.parameters():
        default = filled("{0}, default {1}", said(parameter.allowed()), parameter.default)
        tell(f"    {parameter.name:<14} {said(parameter.about)}; {default}")


def _tell_json(body: Any) -> None:
    text = json.dumps(body, ensure_ascii=False, indent=2)
    # Escaped is as good where the output has no such letters.
    tell(text if can_write(sys.stdout, text) else json.dumps(body, indent=2))


def _described(channel: Channel) -> dict[str, Any]:
    why = channel.unavailable()
    return {
        "name": channel.name,
        "title": channel.title,
        "about": channel.about,
        "available": why is None,
        "why": why,
        "variants": [
            {"name": item.name, "about": item.about, "roles": list(item.roles), "values": dict(item.values)}
            | ({"why": reason} if (reason := lacking(channel, item)) else {})
            for item in channel.variants
        ],
        "parameters": [_parameter(item) for item in channel.parameters()],
        "commands": list(channel.commands),
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    body: dict[str, Any] = {"name": parameter.name, "default": parameter.default, "about": parameter.about}
    if parameter.choices:
        return {**body, "choices": list(parameter.choices)}
    if parameter.text is not None:
        return {**body, "text": parameter.origin}
    return {**body, "low": parameter.low, "high": parameter.high, "unit": parameter.unit, "origin": parameter.origin}


def show_keys(options: Namespace) -> int:
    """The action table."""
    from ipctui.tui.actions import keys_json, keys_text

    if options.json:
        _tell_json(json.loads(keys_json()))
    else:
        tell(keys_text(language=spoken(sys.stdout)))
    return 0


def show_themes(options: Namespace) -> int:
    """The themes found, and what is wrong with those that are not valid."""
    from ipctui.tui.themes import describe, find_themes

    tell("\n".join(describe(*find_themes(), spoken(sys.stdout))))
    return 0


def show_doctor(options: Namespace) -> int:
    """What this machine allows, and what dead laboratories have left."""
    rows = []
    for capability in capabilities():
        rows.append(("ok" if capability.available else "missing", capability.name, said(capability.detail)))
        if not capability.available and capability.remedy:
            rows.append(("", "", said(capability.remedy)))
    leftovers = find_leftovers()
    for leftover in leftovers:
        about = filled("{0} (its laboratory is dead; `ipctui clean` removes it)", leftover.name)
        rows.append(("left", leftover.kind, about))
    if not leftovers:
        rows.append(("ok", "leftovers", said("none")))
    for mark, name, about in rows:
        tell(f"{_padded(said(mark), 7)}  {_padded(said(name), 18)} {about}")
    return 0


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def show_clean(options: Namespace) -> int:
    """Remove what dead laboratories have left, and say which."""
    leftovers = find_leftovers()
    if not leftovers:
        tell(said("nothing to remove: no dead laboratory has left anything"))
    status = 0
    for leftover in leftovers:
        try:
            leftover.remove()
        except OSError as error:
            tell(filled("could not remove {0}: {1}", leftover.name, said(error.strerror or str(error))))
            status = 1
        else:
            tell(filled("removed {0}", leftover.name))
    return status
