"""Themes: legible by measurement, told apart, and never a traceback."""

import os
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual._ansi_theme import MONOKAI
from textual.app import App, ComposeResult
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Footer, Input

from ipctui.tui import themes as themes_module
from ipctui.tui.roles import DECORATION, ON_BAR, ROLES, TOLD_APART, UNCOLOURED, laid_over, no_color
from ipctui.tui.themes import (
    LoadedTheme,
    ThemeError,
    ThemeProblem,
    describe,
    find_themes,
    load_theme,
    theme_from_table,
)

SHIPPED = Path(__file__).resolve().parents[1] / "themes"
NAMES = sorted(path.stem for path in SHIPPED.glob("*.toml"))
BOUNDS = {"projector": 7.0}
OKABE_ITO = {"#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("TEXTUAL_THEME", raising=False)


def shipped(name: str) -> LoadedTheme:
    return load_theme(SHIPPED / f"{name}.toml")


def valid_table() -> dict[str, object]:
    return {
        "name": "mine",
        "title": "Mine",
        "dark": True,
        "colors": {"background": "#000000", "foreground": "#ffffff", "primary": "#3399ff"},
        "roles": dict.fromkeys(ROLES, "foreground")
        | {"blocked": "bold #ff0000", "held": "#ffff00", "stopped": "#ff00ff"},
    }


def as_toml(table: dict[str, object]) -> str:
    def value(entry: object) -> str:
        return str(entry).lower() if isinstance(entry, bool) else f'"{entry}"'

    lines = [f"{key} = {value(entry)}" for key, entry in table.items() if not isinstance(entry, dict)]
    for name, entries in table.items():
        if isinstance(entries, dict):
            lines += [f"[{name}]", *(f'"{key}" = {value(entry)}' for key, entry in entries.items())]
    return "\n".join(lines)


def rgb(color: RichColor | None, *, foreground: bool) -> tuple[int, int, int]:
    assert color is not None
    return tuple(color.get_truecolor(MONOKAI, foreground=foreground))


def contrast(style: Style) -> float:
    """WCAG 2.2 contrast ratio of a style's two colours, ANSI ones as Textual's default has them."""
    assert not style.dim, "dim is drawn differently by every terminal: its contrast is unknown"

    def luminance(color: tuple[int, int, int]) -> float:
        parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in color)]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted(
        (luminance(rgb(style.color, foreground=True)), luminance(rgb(style.bgcolor, foreground=False)))
    )
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_formula_gives_the_standard_s_own_figures() -> None:
    assert contrast(Style.parse("#ffffff on #000000")) == pytest.approx(21)
    assert contrast(Style.parse("#767676 on #ffffff")) == pytest.approx(4.54, abs=0.01)


def test_the_four_themes_are_shipped() -> None:
    assert {"dark", "projector", "okabe-ito", "ansi"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_role_is_legible(name: str) -> None:
    styles = shipped(name).styles
    bound = BOUNDS.get(name, 4.5)
    measured = {role: contrast(style) for role, style in styles.items()}
    assert list(measured) == list(ROLES)
    assert {role: r for role, r in measured.items() if r < (2 if role in DECORATION else bound)} == {}
    on_bar = {role: contrast(laid_over(styles, role)) for role in ON_BAR}
    assert {role: r for role, r in on_bar.items() if r < bound} == {}


@pytest.mark.parametrize("name", NAMES)
def test_states_are_told_apart_by_colour(name: str) -> None:
    styles = shipped(name).styles
    seen = {role: rgb(styles[role].color, foreground=True) for role in TOLD_APART}
    assert {pair for pair in combinations(TOLD_APART, 2) if seen[pair[0]] == seen[pair[1]]} == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_selected_process_and_the_paused_view_stand_out(name: str) -> None:
    styles = shipped(name).styles
    frame, selected = styles["frame"], styles["frame.selected"]
    assert selected.bold
    assert selected.color != frame.color
    assert selected.color not in {styles[state].color for state in TOLD_APART}
    assert styles["paused"].reverse
    assert styles["selected"].bgcolor != styles["text"].bgcolor


@pytest.mark.parametrize("name", NAMES)
def test_every_style_fills_its_background(name: str) -> None:
    assert [role for role, style in shipped(name).styles.items() if style.bgcolor is None] == []


def test_okabe_ito_uses_that_palette_greys_and_one_darkened_blue() -> None:
    for role, style in shipped("okabe-ito").styles.items():
        for color in (style.color, style.bgcolor):
            assert color is not None
            assert color.triplet is not None
            grey = len(set(color.triplet)) == 1
            assert grey or color.triplet.hex in OKABE_ITO | {"#005b8e"}, role


def test_ansi_uses_the_sixteen_colours_only() -> None:
    theme = shipped("ansi")
    assert theme.ansi
    assert theme.textual.ansi
    for style in theme.styles.values():
        for color in (style.color, style.bgcolor):
            assert color is not None
            assert color.is_default or (color.number is not None and color.number < 16)


@pytest.mark.parametrize("name", NAMES)
def test_without_colour_the_states_still_differ(name: str) -> None:
    plain = no_color(shipped(name).styles)
    assert list(plain) == list(ROLES)
    assert all(style.color is None and style.bgcolor is None for style in plain.values())
    roles = ("text", *TOLD_APART, "paused", "selected")
    distinct = [pair for pair in combinations(roles, 2) if plain[pair[0]] == plain[pair[1]]]
    assert distinct == [("text", "running")]
    assert plain["frame"] != plain["frame.selected"]


def test_no_color_keeps_the_attributes_of_other_roles() -> None:
    assert "link" not in UNCOLOURED
    assert no_color({"link": Style.parse("bold underline red on blue")})["link"] == Style.parse("bold underline")


def test_laid_over_keeps_blocks_and_leaves_colourless_styles() -> None:
    styles = shipped("dark").styles
    assert laid_over(styles, "title").bgcolor == styles["bar"].bgcolor != styles["title"].bgcolor
    assert laid_over(styles, "selected") == styles["selected"]
    assert laid_over(styles, "paused") == styles["paused"]
    plain = no_color(styles)
    assert laid_over(plain, "title") == plain["title"]


class Rows(Widget):
    """One row a role, as a pane draws it."""

    DEFAULT_CSS = f"Rows {{ height: {len(ROLES)}; }}"

    def __init__(self, styles: dict[str, Style]) -> None:
        super().__init__()
        self.styles_by_role = list(styles.items())

    def render_line(self, y: int) -> Strip:
        if y >= len(self.styles_by_role):
            return Strip.blank(self.size.width)
        role, style = self.styles_by_role[y]
        return Strip([Segment(role.ljust(self.size.width), style)])


class Lab(App[None]):
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, theme: LoadedTheme, styles: dict[str, Style], ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.chosen, self.drawn = theme, styles

    def compose(self) -> ComposeResult:
        yield Rows(self.drawn)
        yield Input("typed")
        yield Footer()

    def on_mount(self) -> None:
        self.register_theme(self.chosen.textual)
        self.theme = self.chosen.name

    def drawn_rows(self) -> dict[str, Style]:
        rows = self.screen._compositor.render_strips()
        segments = [segment for row in rows for segment in row if segment.style is not None]
        return {segment.text.strip(): segment.style for segment in segments if segment.text.strip() in ROLES}


@pytest.mark.parametrize("name", NAMES)
async def test_a_theme_can_be_chosen_in_a_running_app(name: str) -> None:
    theme = shipped(name)
    app = Lab(theme, dict(theme.styles))
    async with app.run_test(size=(40, 50)) as pilot:
        await pilot.pause()
        assert app.theme == name
        drawn = app.drawn_rows()
        assert set(drawn) == set(ROLES)
        for role, style in drawn.items():
            assert style.color == theme.styles[role].color, role
            assert style.bgcolor == theme.styles[role].bgcolor, role


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ansi_color", [None, False, True])
async def test_no_color_is_legible_with_every_filter(
    name: str, ansi_color: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    theme = shipped(name)
    app = Lab(theme, no_color(theme.styles), ansi_color)
    async with app.run_test(size=(40, 50)) as pilot:
        await pilot.pause()
        assert app.no_color
        drawn = app.drawn_rows()
        assert set(drawn) == set(ROLES)
        for role, style in drawn.items():
            colors = {color for color in (style.color, style.bgcolor) if color and not color.is_default}
            assert colors == set(), role


def test_a_valid_table_loads(tmp_path: Path) -> None:
    theme = theme_from_table(tmp_path / "mine.toml", valid_table())
    assert (theme.name, theme.title, theme.dark, theme.ansi) == ("mine", "Mine", True, False)
    assert theme.styles["blocked"] == Style.parse("bold #ff0000 on #000000")


def changed(*path: str, to: object = None) -> dict[str, object]:
    table = valid_table()
    inner: dict[str, object] = table
    for key in path[:-1]:
        entry = inner.setdefault(key, {})
        assert isinstance(entry, dict)
        inner = entry
    if to is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return table


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (changed("title"), "title: missing"),
        (changed("roles", "held"), "roles.held: missing"),
        (changed("roles", "code.dim"), 'roles.code.dim: missing (with quotes: "code.dim" = …)'),
        (changed("colour", to="#fff"), "'colour': unknown key; nearest: 'colors'"),
        (changed("colors", "bakground", to="#fff"), "colors.'bakground': unknown key; nearest: 'background'"),
        (changed("roles", "bloked", to="#fff"), "roles.'bloked': unknown key; nearest: 'blocked'"),
        (changed("variables", "bordr", to="#fff"), "variables.'bordr': unknown key; nearest: 'border'"),
        (changed("dark", to="yes"), "dark: 'yes' must be true or false"),
        (changed("roles", to=[1]), "roles: a list must be a table"),
        (changed("name", to=3), "name: 3 must be a string"),
        (changed("name", to="Mine"), "name: 'Mine' must be small letters"),
        (changed("name", to="other"), "name: 'other' must be the file's name without .toml"),
        (changed("title", to="a\x1b[2Jb"), "title: 'a\\x1b[2Jb' must be one line of printable text"),
        (changed("colors", "accent", to=5), "colors.accent: 5 must be a string"),
        (changed("colors", "accent", to="#12"), "colors.accent: '#12' is no colour"),
        (
            changed("colors", "accent", to="tomatoe"),
            "colors.accent: 'tomatoe' is no colour; nearest: 'tomato'",
        ),
        (changed("colors", "accent", to="#11223344"), "colors.accent: '#11223344' is no colour"),
        (changed("roles", "text", to="transparent"), "roles.text: 'transparent' is no colour"),
        (changed("roles", "text", to="foregrund"), "'foregrund' is no colour; nearest: 'foreground'"),
        (
            changed("roles", "text", to="bold"),
            "roles.text: 'bold' must be [bold|dim|italic|underline|reverse]",
        ),
        (changed("roles", "text", to="blink red"), "roles.text: 'blink red' must be"),
        (changed("roles", "text", to="red at blue"), "roles.text: 'red at blue' must be"),
        (changed("roles", "text", to=""), "roles.text: '' must be"),
        (changed("roles", "text", to="ansi_red"), "roles.text: 'ansi_red': this theme has no ansi_* colours"),
        (changed("ansi", to=True), "'#000000': this theme takes ansi_* colours only"),
        (changed("roles", "held", to="#ff0000"), "roles.held: the colour of blocked"),
        (changed("variables", "border", to="nocolour"), "variables.border: 'nocolour' is no colour"),
        (changed("variables", "border", to="red 150%"), "variables.border: '150%' must be a percentage"),
        (changed("variables", "border", to="a b c"), "variables.border: 'a b c' must be a colour"),
        (changed("variables", "link-style", to="bald"), "'bald' is no text style; nearest: 'bold'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, table: dict[str, object], said: str) -> None:
    with pytest.raises(ThemeError) as caught:
        theme_from_table(tmp_path / "mine.toml", table)
    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.toml: ")
    assert str(caught.value).isprintable()


def test_an_ansi_theme_suggests_the_ansi_name(tmp_path: Path) -> None:
    table = changed("ansi", to=True)
    table["colors"] = {"background": "ansi_black", "foreground": "ansi_white", "primary": "red"}
    with pytest.raises(ThemeError, match=r"colors.primary: 'red'.*nearest: 'ansi_red'"):
        theme_from_table(tmp_path / "mine.toml", table)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name = ", "not TOML"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"x = " + b"[" * 30_000, "nested too deeply"),
        (b"x = " + b"9" * 5_000, "not TOML"),
        (b"#" * 70_000, "a theme has at most 65,536"),
    ],
)
def test_bad_files_are_gathered(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.toml").write_bytes(content)
    themes, problems = find_themes(tmp_path)
    assert set(NAMES) == set(themes)
    assert [problem.path for problem in problems] == [tmp_path / "bad.toml"]
    assert said in problems[0].problem


def test_things_that_are_no_files_are_gathered(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("not a theme")
    _, problems = find_themes(tmp_path)
    assert [problem.path.name for problem in problems] == ["fifo.toml", "folder.toml", "gone.toml"]
    assert [problem.problem for problem in problems][:2] == ["not a regular file"] * 2
    assert "No such file" in problems[2].problem


def test_an_unreadable_file_or_folder_is_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(as_toml(valid_table()))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        with pytest.raises(ThemeError, match="cannot be read: Permission denied"):
            load_theme(path)
    themes, problems = find_themes(path)
    assert set(themes) == set(NAMES)
    assert problems == (ThemeProblem(path, "cannot be listed: Not a directory"),)


def test_the_users_theme_wins_and_the_default_comes_first(tmp_path: Path) -> None:
    table = valid_table()
    (tmp_path / "mine.toml").write_text(as_toml(table))
    (tmp_path / "ansi.toml").write_text(as_toml(table | {"name": "ansi"}))
    themes, problems = find_themes(tmp_path)
    assert problems == ()
    assert next(iter(themes)) == "dark"
    assert set(themes) == {*NAMES, "mine"}
    assert themes["ansi"].path == tmp_path / "ansi.toml"


def test_the_users_folder_is_the_configuration_folder_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "ipctui" / "themes"
    folder.mkdir(parents=True)
    (folder / "mine.toml").write_text(as_toml(valid_table()))
    assert find_themes()[0]["mine"].path == folder / "mine.toml"


def test_the_package_folder_comes_before_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("themes", "ipctui/themes", "ipctui/tui"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "themes" / "mine.toml").write_text(as_toml(valid_table()))
    monkeypatch.setattr(themes_module, "__file__", str(tmp_path / "ipctui" / "tui" / "themes.py"))
    assert find_themes(tmp_path / "none")[0] == {}
    (tmp_path / "ipctui" / "themes").rmdir()
    assert set(find_themes(tmp_path / "none")[0]) == {"mine"}


def test_describe_lists_themes_and_problems(tmp_path: Path) -> None:
    table = valid_table() | {"title": "내 테마"}
    (tmp_path / "mine.toml").write_text(as_toml(table))
    (tmp_path / "bad\x1b[2J.toml").write_text("name = 1")
    lines = describe(*find_themes(tmp_path))
    assert len(lines) == len(NAMES) + 2
    assert lines[0].startswith("dark ")
    assert all(line.endswith("  valid") for line in lines[:-1])
    mine = next(line for line in lines if line.startswith("mine "))
    assert "내 테마" in mine
    assert str(tmp_path / "mine.toml") in mine
    assert "title: missing" in lines[-1]
    assert all(line.isprintable() for line in lines)
    assert describe({}, ()) == []


WORDS = [
    "name",
    "dark",
    "colors",
    "roles",
    "variables",
    "text",
    "mine",
    "ansi",
    "background",
    "primary",
    "#fff",
]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(WORDS), inner),
    max_leaves=12,
)
TABLES = st.dictionaries(st.sampled_from([*WORDS, "title"]) | st.text(), TREES)


@settings(max_examples=200, deadline=None)
@given(table=TABLES)
def test_no_table_makes_a_traceback(table: dict[str, object]) -> None:
    with pytest.raises(ThemeError) as caught:
        theme_from_table(Path("mine.toml"), table)
    assert str(caught.value).isprintable()


@settings(max_examples=200, deadline=None)
@given(where=st.sampled_from(["colors", "roles", "variables"]), key=st.sampled_from(WORDS), value=TREES)
def test_one_strange_entry_loads_or_is_named(where: str, key: str, value: object) -> None:
    table = valid_table()
    entries = table.setdefault(where, {})
    assert isinstance(entries, dict)
    entries[key] = value
    problem = ""
    try:
        theme = theme_from_table(Path("mine.toml"), table)
        theme.textual.to_color_system().generate()
    except ThemeError as error:
        problem = error.problem
    assert not problem or problem.startswith(f"{where}.")


@settings(max_examples=200, deadline=None)
@given(text=st.text() | st.lists(st.sampled_from([*WORDS, "[", "]", "=", '"', "\n", "'''", "{", "1"])).map("".join))
def test_no_text_makes_a_traceback(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "mine.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ThemeError):
        load_theme(path)
