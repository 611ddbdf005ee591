"""README.md tells what there is: every mechanism and variant, every key, every picture."""

from __future__ import annotations

import re

import pytest

from ipctui.mechanisms import catalogue
from ipctui.tui.actions import ACTIONS
from tests import pictures, readme

TEXT = readme.README.read_text(encoding="utf-8")


def test_the_parts_made_from_the_program_are_those_of_this_version() -> None:
    assert readme.written(TEXT) == TEXT, "README.md is stale: run `make screenshots`"


@pytest.mark.parametrize("name", catalogue.NAMES)
def test_every_mechanism_and_variant_is_in_the_table(name: str) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{name}` | `"))
    for variant in catalogue.channel(name).variants:
        assert f"`{variant.name}`" in row


def test_every_key_is_in_the_table() -> None:
    rows = TEXT.partition("<!-- keys -->")[2].partition("<!-- /keys -->")[0].splitlines()
    for action in ACTIONS:
        found = [row for row in rows if row.startswith(f"| `{action.shown}` | ")]
        assert len(found) == 1, action.shown


def test_every_key_of_a_mechanisms_own_is_told() -> None:
    for name in catalogue.NAMES:
        for offer in catalogue.pane(name).offers:
            assert f"{offer.name}: {offer.about}" in TEXT or offer.key in "12345"


def test_every_picture_is_in_the_gallery_with_a_caption() -> None:
    picture = r"^\*\*([\w-]+)\*\* · (.+)\n\n!\[(.+)\]\(screenshots/([\w-]+\.svg)\)$"
    shown = re.findall(picture, TEXT, re.MULTILINE)
    assert [file for *_, file in shown] == [picture.file for picture in pictures.PICTURES]
    for variant, caption, alternative, _ in shown:
        assert alternative == f"{variant}: {caption}"
        assert len(caption) > 10
    assert set(re.findall(r"screenshots/([\w-]+\.svg)", TEXT)) == {picture.file for picture in pictures.PICTURES}


def test_the_pipes_variants_and_parameters_are_told() -> None:
    for parameter in catalogue.channel("pipe").parameters():
        assert f"| `{parameter.name}` |" in TEXT
        assert f"| {parameter.about} |" in TEXT
    for variant in catalogue.channel("pipe").variants:
        assert f"| `{variant.name}` | {variant.about} |" in TEXT


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="gallery"):
        readme.written(TEXT.replace("<!-- gallery -->", ""))
