from __future__ import annotations

from rich.style import Style
from textual.app import App, ComposeResult
from textual.strip import Strip

from ipctui.tui.live import LiveView
from ipctui.widgets.canvas import Canvas, Frame
from tests.tui.fake import THEMES

STYLES = THEMES["dark"].styles


class Counting(LiveView):
    """Notes which rows are painted anew; the others are given out as they were."""

    def __init__(self) -> None:
        self.painted: list[int] = []
        super().__init__(STYLES)

    def render_line(self, y: int) -> Strip:
        if y >= len(self._strips) or self._strips[y] is None:
            self.painted.append(y)
        return super().render_line(y)


class Showing(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.live = Counting()

    def compose(self) -> ComposeResult:
        yield self.live


def frame(*lines: str, width: int = 80, height: int = 24) -> Frame:
    canvas = Canvas(width, height)
    for y, line in enumerate(lines):
        canvas.put(0, y, line, "blocked")
    return canvas.frame()


async def test_only_rows_that_changed_are_painted_again() -> None:
    app = Showing()
    async with app.run_test() as pilot:
        app.live.show(frame("a", "b", "c"))
        await pilot.pause()
        app.live.painted.clear()
        app.live.show(frame("a", "b", "c"))
        await pilot.pause()
        assert app.live.painted == []
        app.live.show(frame("a", "B", "c", "", "e"))
        await pilot.pause()
        assert sorted(app.live.painted) == [1, 4]
        assert [app.live.render_line(y).text.rstrip() for y in range(5)] == ["a", "B", "c", "", "e"]


async def test_every_segment_has_its_whole_style() -> None:
    app = Showing()
    async with app.run_test() as pilot:
        app.live.show(frame("a", width=40, height=3))
        await pilot.pause()
        for y in range(24):
            strip = app.live.render_line(y)
            assert strip.cell_length == 80, "shorter rows and missing ones are filled up"
            for segment in strip:
                assert segment.style is not None
                assert segment.style.color is not None
                assert segment.style.bgcolor is not None


async def test_wide_characters_stand_in_their_cells() -> None:
    app = Showing()
    async with app.run_test(size=(10, 2)) as pilot:
        app.live.show(frame("한글 🎉 ab…", "가나다라마바", width=10, height=2))
        await pilot.pause()
        assert [app.live.render_line(y).cell_length for y in (0, 1)] == [10, 10]
        app.live.show(frame("가나다라마바", width=11, height=2))
        await pilot.pause()
        assert app.live.render_line(0).cell_length == 10, "a row is cut within a wide character"


async def test_words_on_the_bar_take_the_bars_background() -> None:
    canvas = Canvas(80, 24)
    canvas.fill(0, 0, 80, "bar")
    canvas.put(1, 0, "ipctui", "title")
    canvas.put(20, 0, "stuck", "blocked")
    canvas.put(1, 1, "ipctui", "title")
    app = Showing()
    async with app.run_test() as pilot:
        app.live.show(canvas.frame())
        await pilot.pause()

        def style(y: int, text: str) -> Style:
            return next(segment.style for segment in app.live.render_line(y) if segment.text == text and segment.style)

        assert style(0, "ipctui").bgcolor == STYLES["bar"].bgcolor
        assert style(0, "ipctui").color == STYLES["title"].color
        assert style(0, "stuck") == STYLES["blocked"]
        assert style(1, "ipctui") == STYLES["title"]


async def test_another_theme_paints_everything_again() -> None:
    app = Showing()
    async with app.run_test() as pilot:
        app.live.show(frame("a"))
        await pilot.pause()
        app.live.painted.clear()
        app.live.paint(THEMES["projector"].styles)
        await pilot.pause()
        assert sorted(app.live.painted) == list(range(24))
        assert next(iter(app.live.render_line(0))).style == THEMES["projector"].styles["blocked"]


async def test_a_role_that_no_theme_knows_is_drawn_as_text() -> None:
    app = Showing()
    async with app.run_test() as pilot:
        app.live.show(Frame(3, 1, ((("abc", "nonsense"),),)))
        await pilot.pause()
        assert next(iter(app.live.render_line(0))).style == STYLES["text"]
