"""The commands that only tell: list, keys, themes, doctor; and clean."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from ipctui.cli.scenario import shipped
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
        print(json.dumps([_described(channel) for channel in channels], ensure_ascii=False, indent=2))
        return 0
    for channel in channels:
        why = channel.unavailable()
        print(f"{channel.name}  {channel.title}: {channel.about}")
        print(f"  {'runs here' if why is None else f'does not run here: {why}'}")
        print("  variants")
        for variant in channel.variants:
            print(f"    {variant.name:<14} {variant.about} ({', '.join(variant.roles)})")
            if why is None and (reason := lacking(channel, variant)):
                print(f"    {'':<14} does not run here: {reason}")
        print("  parameters")
        for parameter in channel.parameters():
            print(f"    {parameter.name:<14} {parameter.about}; {parameter.allowed()}, default {parameter.default}")
    print("scenarios (ipctui run NAME)")
    for path in shipped():
        print(f"    {path.name:<20} {load_scenario(path, catalogue.channel).title.get('en', '')}")
    return 0


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

    print(keys_json() if options.json else keys_text())
    return 0


def show_themes(options: Namespace) -> int:
    """The themes found, and what is wrong with those that are not valid."""
    from ipctui.tui.themes import describe, find_themes

    print("\n".join(describe(*find_themes())))
    return 0


def show_doctor(options: Namespace) -> int:
    """What this machine allows, and what dead laboratories have left."""
    for capability in capabilities():
        mark = "ok     " if capability.available else "missing"
        print(f"{mark}  {capability.name:<18} {capability.detail}")
        if not capability.available and capability.remedy:
            print(f"         {'':<18} {capability.remedy}")
    leftovers = find_leftovers()
    if not leftovers:
        print("ok       leftovers          none")
    for leftover in leftovers:
        print(f"left     {leftover.kind:<18} {leftover.name} (its laboratory is dead; `ipctui clean` removes it)")
    return 0


def show_clean(options: Namespace) -> int:
    """Remove what dead laboratories have left, and say which."""
    leftovers = find_leftovers()
    if not leftovers:
        print("nothing to remove: no dead laboratory has left anything")
    status = 0
    for leftover in leftovers:
        try:
            leftover.remove()
        except OSError as error:
            print(f"could not remove {leftover.name}: {error.strerror or error}")
            status = 1
        else:
            print(f"removed {leftover.name}")
    return status
