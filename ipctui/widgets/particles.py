"""Korean particles after names and numbers: 이 or 가, 을 or 를, 으로 or 로, by the sound before them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipctui.lab.state import LabState

_AFTER_CONSONANT = {"가": "이", "를": "을", "는": "은", "와": "과"}
_AFTER_VOWEL = {after: before for before, after in _AFTER_CONSONANT.items()}
_CLOSED = frozenset("013678lmnrLMNR")
"""Digits and letters whose Korean names end in a consonant (영, 일, 삼 …; 엘, 엠, 엔, 알)."""
_FLOWING = frozenset("178lrLR")
"""Those of them that end in ㄹ, which takes 로 as a vowel does."""
_NAMED = re.compile(
    r"(?<![A-Za-z0-9_])(?P<name>[A-Za-z]|[A-Za-z_-]*[0-9]+)(?P<particle>으로|[로가이를을는은와과])(?![가-힣])"
)


def with_particles(text: str) -> str:
    """A Korean sentence with the particles that its names ask for, where these end in a digit or are one letter.

    `writer1가` becomes `writer1이`. Of longer words the spelling does not tell the sound: they stay as they are.
    """
    return _NAMED.sub(_chosen, text)


def _chosen(found: re.Match[str]) -> str:
    name, particle = found["name"], found["particle"]
    if particle in ("로", "으로"):
        return name + ("으로" if name[-1] in _CLOSED - _FLOWING else "로")
    chosen = _AFTER_CONSONANT if name[-1] in _CLOSED else _AFTER_VOWEL
    return name + chosen.get(particle, particle)


def said(caption: Callable[[LabState, str], str], state: LabState, language: str) -> str:
    """What a caption says of a state in a language, with the particles right."""
    text = caption(state, language)
    return with_particles(text) if language == "ko" else text
