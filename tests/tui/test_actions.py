from __future__ import annotations

import json

from ipctui.tui.actions import ACTIONS, GROUPS, keys_json, keys_text
from ipctui.tui.actions_ko import KOREAN
from ipctui.tui.keymap import check_keymap, shown

PAIRS = """
tab=next shift+tab=previous space=hold n=step b=mode i=inject I=inject-again plus=faster minus=slower 0=flat-out
left_square_bracket=smaller right_square_bracket=larger z=stop x=close k=kill r=restart u=unblock a=add d=remove
l=switch p=pause v=variant m=menu c=listing t=theme s=save slash=filter question_mark=help ctrl+p=palette q=quit
1=offer-1 2=offer-2 3=offer-3 4=offer-4 5=offer-5 6=offer-6 7=offer-7 8=offer-8 9=offer-9
"""
CONTRACT = dict(pair.split("=") for pair in PAIRS.split())


def test_the_keys_of_the_contract_do_what_it_says() -> None:
    owners = {key: action.id for action in ACTIONS for key in action.keys}
    assert {key: owners.get(key) for key in CONTRACT} == CONTRACT


def test_no_id_and_no_key_is_given_twice() -> None:
    ids = [action.id for action in ACTIONS]
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(set(ids)) == len(ids)
    assert len(set(keys)) == len(keys)


def test_every_action_is_named_in_both_languages_and_stands_in_a_group() -> None:
    for action in ACTIONS:
        assert action.group in GROUPS
        assert all((action.name, action.about, action.name_ko, action.about_ko))
        assert bool(action.other_name) == bool(action.other_name_ko)
        assert "\n" not in action.about + action.about_ko
    assert set(KOREAN) == {action.id for action in ACTIONS if not action.id.startswith("offer-")} | {"offer"}


def test_the_printed_key_is_the_key() -> None:
    assert [action.shown for action in ACTIONS] == [shown(action.keys[0]) for action in ACTIONS]


def test_the_table_as_json_and_as_text() -> None:
    table = json.loads(keys_json())["actions"]
    assert [row["id"] for row in table] == [action.id for action in ACTIONS]
    assert {"id", "keys", "shown", "name", "about", "command", "group"} <= set(table[0])
    for language in ("en", "ko"):
        text = keys_text(language=language)
        assert all(action.sentence(language) in text for action in ACTIONS)
    # The ids are printed as a keymap wants them.
    assert {action.id for action in ACTIONS} <= set(keys_text().split())


def test_the_table_itself_is_a_faultless_keymap() -> None:
    whole = {"keys": {action.id: list(action.keys) for action in ACTIONS}}
    keys, problems = check_keymap(whole)
    assert problems == []
    assert keys == {action.id: action.keys for action in ACTIONS}
