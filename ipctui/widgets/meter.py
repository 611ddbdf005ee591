"""Meters: labelled bars on one scale, with figures of one width, so that only the bars move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.widgets.canvas import Line, Span, padded

_LEAST_BAR = 8
_LEAST_SCALE = 0.001


@dataclass(frozen=True, slots=True)
class Meter:
    """One measure: what it is, how much (None when there is no measure yet), and the role of its bar."""

    label: str
    value: float | None
    role: str = "fill"


def meter_lines(
    meters: Sequence[Meter], width: int, unit: str = "", most: float | None = None, decimals: int = 0
) -> list[Line]:
    """A line each: label, figure with its unit, bar.

    Args:
        most: What a full bar stands for; by itself the next of 1, 2, 5, 10 … that holds them all.
    """
    scale = most if most is not None else nice(max((meter.value or 0 for meter in meters), default=0))
    label = max((cell_len(meter.label) for meter in meters), default=0)
    # The scale has at least as many digits as any figure on it; one that lies beyond makes room for all.
    figures = [_figure(meter.value, decimals) for meter in meters]
    digits = max(len(_figure(scale, decimals)), *(len(figure) for figure in figures), 0)
    tail = f" {unit}" if unit else ""
    room = width - label - digits - cell_len(tail) - 3
    return [
        [
            (padded(meter.label, label) + " ", "text"),
            (f"{figure:>{digits}}", "number" if meter.value is not None else "unknown"),
            (tail + " ", "dim"),
            *(_bar(meter, scale, room) if room >= _LEAST_BAR else ()),
        ]
        for meter, figure in zip(meters, figures, strict=True)
    ]


def nice(value: float) -> float:
    """The next of …, 1, 2, 5, 10, 20, 50, … that is not below a value: a scale that does not move with every sample."""
    if value <= 0:
        return 1.0
    value = max(value, _LEAST_SCALE)
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if value <= step * power * (1 + 1e-9))


def _figure(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:,.{decimals}f}"


def _bar(meter: Meter, scale: float, room: int) -> list[Span]:
    """Never empty while there is something; an arrow where it goes beyond the scale."""
    value = meter.value or 0
    full = min(round(value / scale * room), room) if scale > 0 else 0
    if value > 0 and not full:
        full = 1
    if value > scale:
        return [("█" * (room - 1) + "▸", meter.role)]
    return [("█" * full, meter.role), ("░" * (room - full), "fill.empty")]
