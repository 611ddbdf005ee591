"""Pictures: every glyph in its cells, no remote fonts, files whole or not at all."""

import ast
import re
import sys
from html import unescape
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import Static

from ipctui.export import picture
from ipctui.export.picture import PictureError, correct_svg, write_picture
from ipctui.trace.text import visible

CELL = 20 * 0.61
TEXT = re.compile(r'<text class="([^"]*)" x="([^"]*)" y="([^"]*)" textLength="([^"]*)"[^>]*>([^<]*)</text>')


def rich_svg(*lines: str | Text, width: int = 60) -> str:
    console = Console(
        width=width, record=True, file=StringIO(), force_terminal=True, color_system="truecolor", _environ={}
    )
    for line in lines:
        console.print(line, markup=False, highlight=False, overflow="crop", no_wrap=True)
    return console.export_svg(title="제목")


def pieces(svg: str) -> list[tuple[float, float, str, str]]:
    """(x, textLength, classes, text) of every placed piece."""
    return [
        (float(x), float(length), classes, unescape(text).replace("\xa0", " "))
        for classes, x, _, length, text in TEXT.findall(svg)
    ]


def test_rich_still_measures_by_len() -> None:
    """The reason for this module: when it fails, rich has been corrected."""
    found = pieces(rich_svg("한글"))
    assert found[0][3] == "한글"
    assert found[0][1] == pytest.approx(2 * CELL)


def test_hangul_takes_two_cells_a_syllable() -> None:
    found = pieces(correct_svg(rich_svg("한글 pipe 가득")))
    assert [(text, round(x / CELL), round(length / CELL)) for x, length, _, text in found] == [
        ("한글", 0, 4),
        (" pipe ", 4, 6),
        ("가득", 10, 4),
    ]
    assert ["wide" in classes for _, _, classes, _ in found] == [True, False, True]


def test_symbols_share_a_piece_only_with_themselves() -> None:
    found = pieces(correct_svg(rich_svg("┌── ■■‖·ab┐▔")))
    assert [text for *_, text in found] == ["┌", "──", " ", "■■", "‖", "·", "ab", "┐", "▔"]
    assert [text for *_, classes, text in found if "box" in classes] == ["┌", "──", "┐"]


def test_emoji_and_combining_marks_stay_whole() -> None:
    found = pieces(correct_svg(rich_svg("🙂 e\u0301x")))
    assert [(text, round(length / CELL)) for _, length, _, text in found] == [
        ("🙂", 2),
        (" ", 1),
        ("e\u0301", 1),
        ("x", 1),
    ]


def glyphs() -> list[str]:
    """Every character that the program draws and is neither ASCII nor Hangul: all that stand in its texts."""
    folder = Path(picture.__file__).parent.parent
    sources = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")]
    texts = [
        node.value
        for source in sources
        for node in ast.walk(source)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    texts += [path.read_text(encoding="utf-8") for path in folder.rglob("*.toml")]
    found = {char for text in texts for char in text if not char.isascii() and cell_len(char) == 1}
    return sorted(found | set(picture.CONTROLS))


def test_every_glyph_of_the_program_is_drawn() -> None:
    """A font that lacks a glyph draws an empty box or nothing; the same box stands for a character that nobody has."""
    resvg_py = pytest.importorskip("resvg_py")

    def drawn(text: str, fonts: str = picture.NARROW_FONTS) -> bytes:
        svg = correct_svg(rich_svg(text)).replace(picture.NARROW_FONTS, fonts)
        return bytes(resvg_py.svg_to_bytes(svg_string=re.sub(r"terminal-\d+", "t", svg), monospace_family="none"))

    if drawn("M", '"DejaVu Sans Mono"') == drawn("M", '"no such font"'):
        pytest.skip("DejaVu Sans Mono, the first font of the pictures, is not installed")
    missing = {drawn("\u0378"), drawn(" "), drawn("\U000e0fff")}
    found = glyphs()
    assert {"■", "║", "▯", "▫", "␛", "↻", "┏", "…"} <= set(found)
    assert [f"U+{ord(char):04X} {char}" for char in found if drawn(char) in missing] == []
    assert drawn("⏸") in missing, "the test can fail: no font of the chain has this one"
    assert len({drawn(char) for char in found}) == len(found), "no two look the same"


def test_pictures_of_control_characters_are_letters_in_one_cell() -> None:
    svg = correct_svg(rich_svg("a␛[2J␊b"))
    assert [(text, round(x / CELL), round(length / CELL)) for x, length, _, text in pieces(svg)] == [
        ("a", 0, 1), ("␛", 1, 1), ("[2J", 2, 3), ("␊", 5, 1), ("b", 6, 1),
    ]  # fmt: skip
    letters = re.findall(r'<text clip-path="[^"]*" class="[^"]*" font-size="10" x="([^"]*)" y="[^"]*">(.)</text>', svg)
    assert "".join(letter for _, letter in letters) == "ESCLF"
    for (x, _), cell in zip(letters, (1, 1, 1, 5, 5), strict=True):
        assert cell * CELL <= float(x) <= (cell + 1) * CELL - 10 * 0.61 + 0.01
    assert set(picture.CONTROLS) >= {visible(chr(code)) for code in (*range(32), 127)}
    assert correct_svg(svg) == svg


class Words(App[None]):
    def compose(self) -> ComposeResult:
        yield Static("한글 ■ pipe", markup=False)


async def test_a_screen_of_textual_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)
    app = Words()
    async with app.run_test(size=(30, 3)):
        found = pieces(correct_svg(app.export_screenshot()))
    assert [(text.strip(), round(x / CELL), round(length / CELL)) for x, length, _, text in found][:3] == [
        ("한글", 0, 4),
        ("", 4, 1),
        ("■", 5, 1),
    ]
    assert {text for *_, text in found if not text} == set()


def test_styles_and_markup_characters_survive() -> None:
    svg = correct_svg(rich_svg(Text.assemble(("<한&글>", "bold #ff0000"), " a")))
    assert "".join(text for *_, text in pieces(svg)).startswith("<한&글>")
    assert "font-weight: bold" in svg
    styles = {classes.split()[0] for _, _, classes, text in pieces(svg) if text in "<한&글>"}
    assert len(styles) == 1


def test_nothing_is_fetched_and_the_fonts_are_named() -> None:
    before, after = rich_svg("한글 text"), correct_svg(rich_svg("한글 text"))
    assert "https://cdn" in before
    assert "@font-face" not in after
    assert "url(http" not in after
    assert 'url("' not in after
    families = re.findall(r"font-family: ([^;]*);", after)
    assert len(families) == 3
    for family in families:
        for name in (
            '"D2Coding"',
            '"Noto Sans Mono CJK KR"',
            '"DejaVu Sans Mono"',
            '"Fira Code"',
            "monospace",
        ):
            assert name in family


def test_text_that_looks_like_style_is_left_alone() -> None:
    said = "font-family: arial; @font-face { x }"
    assert said in "".join(text for *_, text in pieces(correct_svg(rich_svg(said))))


def test_every_clip_that_is_used_is_defined() -> None:
    console = Console(width=20, record=True, file=StringIO(), force_terminal=True, _environ={})
    console.print("first\nlast", end="")
    before = console.export_svg(title="x")
    after = correct_svg(before)
    used = set(re.findall(r"clip-path=\"url\(#([^)]*)\)", after))
    assert used - set(re.findall(r'clipPath id="([^"]*)"', before)) != set()
    assert used <= set(re.findall(r'clipPath id="([^"]*)"', after))
    tops = [float(top) for top in re.findall(r'-line-\d+">\s*<rect x="0" y="([^"]*)"', after)]
    assert tops == pytest.approx([1.5, 25.9])


def test_a_foreign_svg_comes_back_unchanged() -> None:
    assert correct_svg("<svg><text>한글</text></svg>") == "<svg><text>한글</text></svg>"


@settings(max_examples=100, deadline=None)
@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["C", "Z", "M"]) | st.sampled_from(" 한글가─■🙂"),
        min_size=1,
        max_size=25,
    )
)
def test_pieces_tile_the_line_and_correcting_twice_changes_nothing(text: str) -> None:
    svg = correct_svg(rich_svg(Text(text), width=60))
    assert correct_svg(svg) == svg
    found = pieces(svg)
    position = 0.0
    for x, length, _, piece in found:
        assert x == pytest.approx(position, abs=0.01)
        assert length == pytest.approx(cell_len(piece) * CELL, abs=0.01)
        position = x + length
    assert "".join(piece for *_, piece in found).rstrip() == text.rstrip()


def test_svg_is_written_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "screen.SVG"
    path.write_text("old")
    write_picture("<svg>한글</svg>", path)
    assert path.read_text(encoding="utf-8") == "<svg>한글</svg>"
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o600 == 0o600


def test_png_is_rendered_and_words_are_in_it(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    for name, line in (("words", "한글 words"), ("other", "글한 sword"), ("again", "한글 words")):
        svg = re.sub(r"terminal-\d+", "terminal-1", correct_svg(rich_svg(line)))
        write_picture(svg, tmp_path / f"{name}.png")
    words, other, again = ((tmp_path / f"{name}.png").read_bytes() for name in ("words", "other", "again"))
    assert words.startswith(b"\x89PNG\r\n")
    assert words == again
    assert words != other


def test_png_without_the_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(PictureError) as caught:
        write_picture("<svg/>", tmp_path / "a.png")
    assert str(caught.value) == "PNG needs the extra: pip install 'ipctui[png]'; or write .svg"
    assert list(tmp_path.iterdir()) == []


def test_png_without_a_font_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("resvg_py")
    monkeypatch.setattr(picture, "NARROW_FONTS", '"no such font"')
    with pytest.raises(PictureError, match="no monospaced font found"):
        write_picture(correct_svg(rich_svg("x")), tmp_path / "a.png")


def test_a_broken_svg_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    with pytest.raises(PictureError, match=r"^PNG: .*write \.svg instead$"):
        write_picture("<svg><text>", tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a", ".png"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PictureError, match=r"a picture's name ends in \.svg or \.png"):
        write_picture("<svg/>", tmp_path / name)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"cannot be written: No such file or directory"):
        write_picture("<svg/>", tmp_path / "none" / "a.svg")
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(PictureError, match=r"cannot be written: Is a directory"):
        write_picture("<svg/>", tmp_path / "a.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_no_fontconfig_still_names_a_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert picture._system_monospace() == "DejaVu Sans Mono"
