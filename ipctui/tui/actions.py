"""The one table of actions: key bindings, footer, help, palette and `ipctui keys` are all made from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.cells import cell_len

from ipctui.tui.actions_ko import KOREAN


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a key does.

    Attributes:
        keys: Textual's names of the keys.
        shown: How the keys are printed.
        name: A short word for the footer.
        about: One sentence.
        command: The laboratory command it gives; `{role}` is the selected process, `{value}` depends on the state.
        group: The part of the help it stands in, a key of `GROUPS`.
        other: The command that takes it back, for a key that toggles; `other_name` is the footer's word then.
        needs: What the source must be able to do for it (`command`, `seek`, `record`); "" for nothing.
    """

    id: str
    keys: tuple[str, ...]
    shown: str
    name: str
    about: str
    command: str | None = None
    group: str = "look"
    name_ko: str = ""
    about_ko: str = ""
    other: str | None = None
    other_name: str = ""
    other_name_ko: str = ""
    needs: str = ""

    def label(self, language: str, other: bool = False) -> str:
        """The short word in a language; of the other side when `other` is set and there is one."""
        if other and self.other_name:
            return self.other_name_ko if language == "ko" else self.other_name
        return self.name_ko if language == "ko" else self.name

    def sentence(self, language: str) -> str:
        """The sentence in a language."""
        return self.about_ko if language == "ko" else self.about


GROUPS: Mapping[str, Mapping[str, str]] = {
    "process": {"en": "The selected process", "ko": "선택한 프로세스"},
    "lab": {"en": "The laboratory", "ko": "실험실"},
    "time": {"en": "Time", "ko": "시간"},
    "lecture": {"en": "The lecture", "ko": "강의"},
    "look": {"en": "The view", "ko": "보기"},
    "program": {"en": "The program", "ko": "프로그램"},
}
"""Group to its title by language, in the order of the help."""


def _action(
    id: str,
    keys: tuple[str, ...],
    shown: str,
    name: str,
    about: str,
    command: str | None,
    group: str,
    other: str | None = None,
    other_name: str = "",
    needs: str = "",
) -> Action:
    name_ko, about_ko, *other_ko = KOREAN[id]
    if command is not None and id not in ("faster", "slower"):
        needs = "command"
    return Action(
        id, keys, shown, name, about, command, group, name_ko, about_ko, other, other_name, "".join(other_ko), needs
    )


def _time(id: str, key: str, shown: str, name: str, about: str, needs: str = "seek") -> Action:
    return _action(id, (key,), shown, name, about, None, "time", needs=needs)


def _offer(number: int) -> Action:
    about = f"Do what the pane offers on {number}: enlarge a part or give a command."
    name_ko, about_ko = (text.format(number=number) for text in KOREAN["offer"])
    return Action(
        f"offer-{number}", (f"{number}",), f"{number}", f"offer {number}", about, None, "look", name_ko, about_ko
    )


ACTIONS: tuple[Action, ...] = (
    _action("next", ("tab",), "Tab", "next", "Select the next process.", None, "process"),
    _action("previous", ("shift+tab",), "Shift+Tab", "previous", "Select the previous process.", None, "process"),
    _action(
        "hold",
        ("space",),
        "space",
        "hold",
        "Hold the selected process before its next operation, or release it.",
        "hold {role}",
        "process",
        other="release {role}",
        other_name="release",
    ),
    _action("step", ("n",), "n", "step", "Let the selected process do one operation.", "step {role}", "process"),
    _action(
        "mode",
        ("b",),
        "b",
        "non-blocking",
        "Switch the selected process's descriptors between blocking and non-blocking.",
        "nonblocking {role}",
        "process",
        other="blocking {role}",
        other_name="blocking",
    ),
    _action(
        "inject",
        ("i",),
        "i",
        "inject",
        "Let the selected process send a text of yours.",
        "inject {role} {value}",
        "process",
    ),
    _action(
        "inject-again", ("I",), "I", "inject again", "Send the same text once more.", "inject {role} {value}", "process"
    ),
    _action(
        "faster",
        ("plus", "equals_sign"),
        "+",
        "faster",
        "Raise the selected process's messages a second; of a recording, the speed of the replay.",
        "rate {role} {value}",
        "process",
    ),
    _action(
        "slower",
        ("minus",),
        "-",
        "slower",
        "Lower the selected process's messages a second; of a recording, the speed of the replay.",
        "rate {role} {value}",
        "process",
    ),
    _action(
        "flat-out",
        ("0",),
        "0",
        "flat out",
        "Let the selected process run as fast as it can.",
        "rate {role} 0",
        "process",
    ),
    _action(
        "larger",
        ("right_square_bracket",),
        "]",
        "larger",
        "Double the size of the selected process's messages.",
        "size {role} {value}",
        "process",
    ),
    _action(
        "smaller",
        ("left_square_bracket",),
        "[",
        "smaller",
        "Halve the size of the selected process's messages.",
        "size {role} {value}",
        "process",
    ),
    _action(
        "stop",
        ("z",),
        "z",
        "stop",
        "Stop the selected process with SIGSTOP, or continue it with SIGCONT.",
        "stop {role}",
        "process",
        other="continue {role}",
        other_name="continue",
    ),
    _action(
        "close",
        ("x",),
        "x",
        "close an end",
        "Let the selected process close one of its descriptors.",
        "close {role} {value}",
        "process",
    ),
    _action("kill", ("k",), "k", "kill", "Kill the selected process with SIGKILL.", "kill {role}", "process"),
    _action(
        "unblock",
        ("u",),
        "u",
        "unblock",
        "Wake the selected process from the call it sleeps in.",
        "unblock {role}",
        "process",
    ),
    _action("add", ("a",), "a", "add", "Add a worker of the selected process's role.", "add {value}", "lab"),
    _action("remove", ("d",), "d", "remove", "Remove the selected worker.", "remove {role}", "lab"),
    _action("restart", ("r",), "r", "restart", "Start the laboratory anew.", None, "lab", needs="command"),
    _action(
        "switch",
        ("l",),
        "l",
        "switch",
        "Turn the mechanism's own switch, where it has one.",
        None,
        "lab",
        needs="command",
    ),
    _action(
        "variant", ("v",), "v", "variant", "Restart with the mechanism's next variant.", None, "lab", needs="command"
    ),
    _action("variants", ("V",), "V", "variants", "Choose a variant from the list.", None, "lab", needs="command"),
    _action("menu", ("m",), "m", "menu", "Choose a mechanism.", None, "lab", needs="command"),
    _action(
        "pause",
        ("p",),
        "p",
        "pause",
        "Let the view stand still, or go on: the workers run on; a recording plays or pauses.",
        None,
        "time",
        other_name="resume",
    ),
    _time("earlier", "left", "Left", "1 s back", "Go back by a second; a live view is paused first."),
    _time("later", "right", "Right", "1 s on", "Go forward by a second."),
    _time("earlier-far", "shift+left", "Shift+Left", "10 s back", "Go back by ten seconds."),
    _time("later-far", "shift+right", "Shift+Right", "10 s on", "Go forward by ten seconds."),
    _time("start", "home", "Home", "start", "Go as far back as it goes: ten minutes or 100 MB, or to the start."),
    _time("end", "end", "End", "now", "Return to now; of a recording, go to its end."),
    _time("call-back", "comma", ",", "call back", "Go back to just after the previous call."),
    _time("call-on", "full_stop", ".", "call on", "Go forward to just after the next call."),
    _time("message-back", "less_than_sign", "<", "message back", "Go back to the previous call that moved a message."),
    _time("message-on", "greater_than_sign", ">", "message on", "Go forward to the next call that moves a message."),
    _time("record-back", "left_parenthesis", "(", "record back", "Go back by one record: a call, a state, a measure."),
    _time("record-on", "right_parenthesis", ")", "record on", "Go forward by one record."),
    _time("blocked-back", "left_curly_bracket", "{", "last block", "Go back to where a process became blocked last."),
    _time("blocked-on", "right_curly_bracket", "}", "next block", "Go forward to where a process becomes blocked."),
    _time("mark-back", "quotation_mark", '"', "last mark", "Go back to the previous mark."),
    _time("mark-on", "apostrophe", "'", "next mark", "Go forward to the next mark."),
    _time(
        "go-to", "g", "g", "go to", "Go to a time that you type: 12.4, 1:05, or -3 for three seconds before the end."
    ),
    _time("mark", "M", "M", "mark", "Mark this moment, to come back to it here and in the recording.", "record"),
    _time("record", "R", "R", "record", "Record from now on to a file in the current folder; again to end.", "record"),
    *(_offer(number) for number in range(1, 10)),
    _action("back", ("escape",), "Escape", "back", "Leave an enlarged part, and drop the filter.", None, "look"),
    _action("up", ("up",), "Up", "up", "Scroll an enlarged part up by a line.", None, "look"),
    _action("down", ("down",), "Down", "down", "Scroll an enlarged part down by a line.", None, "look"),
    _action("page-up", ("pageup",), "PageUp", "page up", "Scroll an enlarged part up by a page.", None, "look"),
    _action(
        "page-down", ("pagedown",), "PageDown", "page down", "Scroll an enlarged part down by a page.", None, "look"
    ),
    _action("filter", ("slash",), "/", "filter", "Show only the calls that contain a text.", None, "look"),
    _action("listing", ("c",), "c", "Python/C", "Show the program in Python or in C.", None, "look"),
    _action(
        "lecture",
        ("f5",),
        "F5",
        "lecture",
        "Lecture mode, for a projector and a room: who is stuck in large letters, the keys by name; again to leave.",
        None,
        "lecture",
    ),
    _action(
        "predict",
        ("P",),
        "P",
        "predict",
        "Ask the room what happens next, before a step or in a recording; a digit guesses, n lets the kernel answer.",
        None,
        "lecture",
    ),
    _action("go-on", ("enter",), "Enter", "go on", "Go on after a stop of a lecture's file.", None, "lecture"),
    _action("theme", ("t",), "t", "theme", "Take the next theme.", None, "look"),
    _action("save", ("s",), "s", "save", "Save a picture of the screen (SVG) in the current folder.", None, "look"),
    _action("help", ("question_mark",), "?", "help", "Show this help.", None, "program"),
    _action(
        "palette",
        ("ctrl+p",),
        "Ctrl+P",
        "palette",
        "Find an action, a variant or a theme by name, or type a command.",
        None,
        "program",
    ),
    _action(
        "quit", ("q",), "q", "quit", "End the laboratory and leave; Ctrl+C does the same everywhere.", None, "program"
    ),
)
"""Every action, in the order of the help."""


def by_id(actions: Iterable[Action] = ACTIONS) -> dict[str, Action]:
    """Actions by their ids."""
    return {action.id: action for action in actions}


def keys_json(actions: Sequence[Action] = ACTIONS) -> str:
    """The table as JSON: `{"actions": [{id, keys, shown, name, about, command, group, …}]}`."""
    return json.dumps({"actions": [asdict(action) for action in actions]}, ensure_ascii=False, indent=2)


def keys_text(actions: Sequence[Action] = ACTIONS, language: str = "en") -> str:
    """The table for people: a group to a paragraph, an action to a line."""
    keys = max(cell_len(action.shown) for action in actions)
    ids = max(len(action.id) for action in actions)
    paragraphs = []
    for group, titles in GROUPS.items():
        rows = [titles[language]]
        for action in actions:
            if action.group == group:
                shown = action.shown + " " * (keys - cell_len(action.shown))
                rows.append(f"  {shown}  {action.id:<{ids}}  {action.sentence(language)}")
        paragraphs.append("\n".join(rows))
    return "\n\n".join(paragraphs)
