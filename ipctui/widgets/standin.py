"""What stands for what where a system is played by another: its parts, and its rules by who keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from ipctui.widgets.canvas import Line, Span, wrapped

Words = Mapping[str, str]
"""The same words by language, "en" and "ko"; "en+" and "ko+" are the whole sentences where there is room for them."""

_LABELS = {
    "en": ("what stands for what", "kernel keeps", "programs", "missing"),
    "ko": ("무엇이 무엇인가", "커널이 지킴", "프로그램", "없음"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the system played: what it is called there, and what it is here."""

    name: str
    here: Words


@dataclass(frozen=True, slots=True)
class StandIn:
    """A system played by another.

    Attributes:
        system: Its name.
        parts: The most telling first.
        kernel: Rules that hold because the kernel enforces them.
        programs: Rules that hold only because our programs keep them.
        missing: What is not there at all.
    """

    system: str
    parts: Sequence[Part]
    kernel: Sequence[Words]
    programs: Sequence[Words]
    missing: Sequence[Words]


def title_span(standin: StandIn, language: str, room: int) -> Span:
    """As many of the parts as fit: `send right = descriptor sent by SCM_RIGHTS · …`."""
    shown = ""
    for part in standin.parts:
        more = f"{shown} · " if shown else ""
        longer = f"{more}{part.name} = {part.here.get(language, part.here['en'])}"
        if cell_len(longer) > room:
            break
        shown = longer
    return (shown, "dim")


def rules_line(standin: StandIn, language: str, width: int) -> Line:
    """Who keeps which rules, in one line: a share of it for each of the three, the first rule of each whole."""
    _, kernel, programs, missing = _LABELS.get(language, _LABELS["en"])
    groups = [(kernel, standin.kernel, "title"), (programs, standin.programs, "warning")]
    groups.append((missing, standin.missing, "error"))
    counts = [1, 1, 1]
    while True:
        grown = False
        for place, (_, rules, _) in enumerate(groups):
            more = [*counts[:place], counts[place] + 1, *counts[place + 1 :]]
            if counts[place] < len(rules) and cell_len(_rules_text(groups, more, language)) <= width:
                counts, grown = more, True
        if not grown:
            break
    line: list[Span] = []
    for (label, rules, role), count in zip(groups, counts, strict=True):
        line += [(f" · {label}: " if line else f" {label}: ", role), (_joined(rules[:count], language), "text")]
    return line


def _rules_text(groups: Sequence[tuple[str, Sequence[Words], str]], counts: Sequence[int], language: str) -> str:
    return "  ".join(
        f" {label}: {_joined(rules[:count], language)}" for (label, rules, _), count in zip(groups, counts, strict=True)
    )


def _joined(rules: Sequence[Words], language: str) -> str:
    return ", ".join(rule.get(language, rule["en"]) for rule in rules)


def standin_lines(standin: StandIn, language: str, width: int) -> list[Line]:
    """All parts and all rules, a line each."""
    stands, kernel, programs, missing = _LABELS.get(language, _LABELS["en"])
    lines: list[Line] = [[(f"{standin.system}: {stands}", "title")]]
    longest = max((cell_len(part.name) for part in standin.parts), default=0)
    for part in standin.parts:
        name = part.name + " " * (longest - cell_len(part.name))
        lines.append([(f"  {name} = ", "text"), (part.here.get(language, part.here["en"]), "dim")])
    groups = ((kernel, standin.kernel, "title"), (programs, standin.programs, "warning"))
    keep = " keep" if language == "en" else "이 지킴"
    groups = (groups[0], (programs + keep, standin.programs, "warning"))
    for label, rules, role in (*groups, (missing, standin.missing, "error")):
        lines.append([(label, role)])
        for rule in rules:
            text = rule.get(f"{language}+") or rule.get(language, rule["en"])
            lines += [
                [(("  · " if not row else "    ") + part, "text")]
                for row, part in enumerate(wrapped(text, width - 4, 3))
            ]
    return lines
