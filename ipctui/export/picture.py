"""A screen as a picture: the SVG that Textual exports, corrected, written as SVG or PNG."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from html import escape, unescape
from pathlib import Path

from rich.cells import cell_len, split_graphemes

from ipctui.export.target import TargetError, whole_file

__all__ = ["PictureError", "correct_svg", "write_picture"]

NARROW_FONTS = '"DejaVu Sans Mono", "Fira Code", "D2Coding", "Noto Sans Mono CJK KR", monospace'
"""Fonts for one-cell glyphs: those first whose advance is a cell of rich's SVG (0.6 em against 0.61)."""

WIDE_FONTS = '"D2Coding", "Noto Sans Mono CJK KR", "DejaVu Sans Mono", "Fira Code", monospace'
"""Fonts for two-cell glyphs: those first that draw Hangul on a full em."""

_CELL_ASPECT = 0.61
"""Width of a cell by its font size in `rich.console.Console.export_svg` (font_aspect_ratio)."""

_CLIP_TOP = 1.5
_CLIP_HEIGHT = 1.22
_CLIP_OVERLAP = 0.25
"""A line's clip in rich: 1.5 units below its top, 1.22 font sizes and 0.25 units high."""

_BOX_SCALE = 1.18
"""Box-drawing glyphs of DejaVu Sans Mono end above a line of rich; larger and clipped, frames do not gape."""

_NAMES = (
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "HT", "LF", "VT", "FF", "CR", "SO", "SI"),
    *("DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"),
)
CONTROLS = {chr(0x2400 + code): name for code, name in enumerate(_NAMES)} | {"\u2421": "DEL"}
"""The pictures of control characters and what stands in them: hardly a font has these glyphs, so they are drawn."""

_LETTER = 0.5
"""Size of such a letter by the font's; the letters of a picture go down from its upper left corner."""

_STYLE = re.compile(r"(<style[^>]*>)(.*?)(</style>)", re.DOTALL)
_FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}\s*")
_FIRA_CODE = re.compile(r"font-family: Fira Code[^;}]*;")
_EAST_ASIAN = re.compile(r"\s*font-variant-east-asian:[^;}]*;")
_MATRIX = re.compile(r"\.([\w-]+)-matrix\s*\{[^}]*?font-size:\s*([\d.]+)px;")
_TEXT = re.compile(
    r'<text class="(?P<style>[^"]*)" x="(?P<x>[^"]*)" y="(?P<y>[^"]*)" textLength="[^"]*"'
    r'(?: lengthAdjust="[^"]*")? clip-path="url\(#(?P<clip>[^)"]*)\)">(?P<text>[^<]*)</text>'
)

_NOBODYS = '"no font has this name"'
"""What is drawn with it is drawn with whatever font there is, and not every one has all glyphs equally wide."""
_PROBE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">'
    '<text x="2" y="20" font-size="20" font-family=\'{fonts}\'>{text}</text></svg>'
)


class PictureError(Exception):
    """A picture that cannot be made, said in one line with what to do instead."""


def correct_svg(svg: str) -> str:
    """Return an SVG of `App.export_screenshot` with every glyph in its cells and no remote fonts.

    rich gives each run the length `len(text)` cells, so that Hangul and emoji overlap, and lets the viewer
    spread a run's glyphs evenly, so that a run of mixed widths drifts. Here a run is cut into pieces of one
    width, each placed and stretched to its own cells. An SVG that rich did not make comes back unchanged, and
    so does one already corrected.
    """
    matrix = _MATRIX.search(svg)
    if matrix is None or _rule(matrix.group(1)) in svg:
        return svg
    terminal, font_size = matrix.group(1), float(matrix.group(2))
    body = _TEXT.sub(lambda run: _placed(run, terminal, font_size), svg)
    return _with_every_clip(_with_local_fonts(body, terminal, font_size), font_size)


def write_picture(svg: str, path: Path) -> None:
    """Write a corrected SVG to `path`, as it is for `.svg`, rendered for `.png`.

    The file appears whole or not at all. Raises PictureError for another suffix, for PNG without `resvg_py`
    or without a font, and when the folder cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".svg":
        _write_whole(path, svg.encode("utf-8", "replace"))
    elif suffix == ".png":
        _write_whole(path, _png(svg))
    else:
        raise PictureError(f"{path.name!r}: a picture's name ends in .svg or .png")


def _placed(run: re.Match[str], terminal: str, font_size: float) -> str:
    """One run of rich as pieces that each begin at their own cell."""
    cell_width = font_size * _CELL_ASPECT
    text = unescape(run["text"])
    if not text.strip("\n"):
        return ""  # rich ends every line with a run that holds only the newline
    style = run["style"].split()[0]
    x = float(run["x"])
    elements = []
    for piece, kind in _pieces(text.strip("\n")):
        width = cell_len(piece) * cell_width
        content = escape(piece).replace(" ", "&#160;")
        classes = f"{style} {terminal}-{kind}" if kind else style
        elements.append(
            f'<text class="{classes}" x="{x:g}" y="{run["y"]}" textLength="{width:g}"'
            f' lengthAdjust="spacingAndGlyphs" clip-path="url(#{run["clip"]})">{content}</text>'
        )
        if kind == "control":
            for place, char in enumerate(piece):
                elements += _drawn_control(char, style, run["clip"], x + place * cell_width, float(run["y"]), font_size)
        x += width
    return "".join(elements)


def _drawn_control(char: str, style: str, clip: str, x: float, y: float, font_size: float) -> Iterator[str]:
    """The letters of a control picture, as a font that has it draws them: small, from the upper left downwards."""
    letters, size = CONTROLS[char], font_size * _LETTER
    across = (font_size - size) * _CELL_ASPECT / (len(letters) - 1)
    down = (font_size * 0.95 - size) / (len(letters) - 1)
    for place, letter in enumerate(letters):
        left, base = x + place * across, y - font_size * 0.45 + place * down
        yield (
            f'<text clip-path="url(#{clip})" class="{style}" font-size="{size:g}"'
            f' x="{left:g}" y="{base:g}">{letter}</text>'
        )


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """Cut a text where the glyphs' natural width may change: (piece, its kind: "wide", "box" or "").

    Letters and ASCII of one font share an advance; a symbol may come from another font, so it shares a piece
    only with its own repetitions.
    """
    spans, _ = split_graphemes(text)
    start, alike, kind = 0, "", ""
    for begin, end, cells in spans:
        grapheme = text[begin:end]
        plain = grapheme.isascii() or grapheme.isspace() or grapheme.isalnum()
        following = f"{cells}" if plain else f"{cells}{grapheme}"
        if following != alike and begin > start:
            yield text[start:begin], kind
            start = begin
        alike, kind = following, _kind(grapheme, cells)
    if start < len(text):
        yield text[start:], kind


def _kind(grapheme: str, cells: int) -> str:
    if cells == 2:
        return "wide"
    if grapheme in CONTROLS:
        return "control"
    # Upper blocks hang from the top of the line already: larger, they would be clipped away.
    return "box" if "\u2500" <= grapheme[0] <= "\u259f" and grapheme[0] not in "▀▔" else ""


def _rule(terminal: str) -> str:
    """The style by which a corrected SVG is known."""
    return f".{terminal}-matrix .{terminal}-wide {{ font-family: {WIDE_FONTS}; }}"


def _with_local_fonts(svg: str, terminal: str, font_size: float) -> str:
    marked = _rule(terminal)

    def edited(style: re.Match[str]) -> str:
        css = _FONT_FACE.sub("", style.group(2))
        css = _EAST_ASIAN.sub("", css)
        css = css.replace("font-family: arial;", f"font-family: {WIDE_FONTS};")
        css = _FIRA_CODE.sub(f"font-family: {NARROW_FONTS}; font-variant-ligatures: none;", css)
        box = f".{terminal}-matrix .{terminal}-box {{ font-size: {font_size * _BOX_SCALE:g}px; }}"
        rules = [marked, box]
        if f'{terminal}-control"' in svg:
            # The text stays, to be searched for and copied.
            rules.append(f".{terminal}-matrix .{terminal}-control {{ fill-opacity: 0; }}")
        lines = "".join(f"{rule}\n    " for rule in rules)
        return f"{style.group(1)}{css.rstrip()}\n    {lines}{style.group(3)}"

    return _STYLE.sub(edited, svg, count=1)


def _with_every_clip(svg: str, font_size: float) -> str:
    """Define the clips that rich refers to and leaves out: the last line's."""
    defined = set(re.findall(r'<clipPath id="([^"]*)"', svg))
    missing = {run["clip"]: float(run["y"]) for run in _TEXT.finditer(svg) if run["clip"] not in defined}
    height = font_size * _CLIP_HEIGHT + _CLIP_OVERLAP
    clips = "".join(
        f'<clipPath id="{clip}"><rect x="0" y="{y - font_size + _CLIP_TOP:g}" width="100%"'
        f' height="{height:g}"/></clipPath>\n'
        for clip, y in missing.items()
    )
    return svg.replace("</defs>", f"{clips}</defs>", 1)


def _png(svg: str) -> bytes:
    try:
        import resvg_py
    except ImportError:
        raise PictureError("PNG needs the extra: pip install 'ipctui[png]'; or write .svg") from None
    monospace = _system_monospace()

    def render(source: str) -> bytes:
        return bytes(resvg_py.svg_to_bytes(svg_string=source, monospace_family=monospace))

    try:
        # resvg leaves out text it has no font for and says nothing: a screen without words is no picture.
        drawn = render(_PROBE.format(fonts=NARROW_FONTS, text="M"))
        if drawn in (render(_PROBE.format(fonts="", text="")), render(_PROBE.format(fonts=_NOBODYS, text="M"))):
            raise PictureError("PNG: no monospaced font found; install DejaVu Sans Mono, or write .svg")
        return render(svg)
    except ValueError as error:
        raise PictureError(f"PNG: {' '.join(str(error).split())}; write .svg instead") from error


def _system_monospace() -> str:
    """Name the family that fontconfig calls monospace; resvg does not ask it and assumes Courier New."""
    program = shutil.which("fc-match")
    if program is None:
        return "DejaVu Sans Mono"
    try:
        answer = subprocess.run(
            [program, "--format=%{family[0]}", "monospace"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "DejaVu Sans Mono"
    return answer.stdout.decode("utf-8", "replace").strip() or "DejaVu Sans Mono"


def _write_whole(path: Path, content: bytes) -> None:
    try:
        with whole_file(path) as file:
            file.write(content)
    except TargetError as error:
        raise PictureError(str(error)) from error
