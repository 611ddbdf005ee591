from __future__ import annotations

import pytest

from ipctui.export.picture import correct_svg
from ipctui.tui.snapshot import picture
from ipctui.widgets.view import View
from tests.tui.fake import THEMES, fake_pane, two


@pytest.mark.parametrize("theme", sorted(THEMES))
def test_the_same_arguments_give_the_same_picture(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken() -> str:
        return picture(two(), fake_pane(), View(language="ko"), (100, 30), THEMES[theme])

    first = taken()
    for name, value in (("NO_COLOR", "1"), ("TEXTUAL_THEME", "textual-light"), ("COLUMNS", "40"), ("TERM", "dumb")):
        monkeypatch.setenv(name, value)
    assert taken() == first
    assert "parent" in first
    assert "붙잡기" in first
    assert correct_svg(first) == first


def test_a_picture_shows_theme_size_and_selection() -> None:
    dark = picture(two(), fake_pane(), View(), (80, 24), THEMES["dark"])
    assert picture(two(), fake_pane(), View(), (80, 24), THEMES["projector"]) != dark
    assert picture(two(), fake_pane(), View(), (120, 24), THEMES["dark"]) != dark
    assert picture(two(), fake_pane(), View("parent"), (80, 24), THEMES["dark"]) == dark
    assert picture(two(), fake_pane(), View("child"), (80, 24), THEMES["dark"]) != dark
    assert picture(two(), fake_pane(), View(), (80, 24), THEMES["dark"], no_color=True) != dark
    assert "80x24" in picture(two(), fake_pane(), View(), (60, 10), THEMES["dark"])
