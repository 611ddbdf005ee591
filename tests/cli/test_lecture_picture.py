"""A picture as lecture mode draws it."""

from __future__ import annotations

import html
from pathlib import Path

from tests.lab.conftest import ran
from tests.recorded import path


def test_a_picture_for_a_room(tmp_path: Path) -> None:
    texts = []
    for options in ((), ("--lecture",), ("--lecture", "--theme", "dark")):
        file = tmp_path / f"{len(texts)}.svg"
        done = ran("screenshot", str(path("held")), "--size", "80x24", "-o", str(file), *options)
        assert done.returncode == 0, done.stderr
        texts.append(html.unescape(file.read_text()).replace("\xa0", " "))
    plain, lecture, dark = texts
    assert "help" in plain
    for text in (lecture, dark):
        assert "help" not in text, "there is no footer"
        assert "before read(3)" in text
    assert lecture != dark, "the projector's theme, unless another is named"
