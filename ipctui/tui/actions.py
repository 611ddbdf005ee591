"""The one table of actions: key bindings, footer, help, palette and `ipctui keys` are all made from it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.cells import cell_len


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
    "look": {"en": "The view", "ko": "보기"},
    "program": {"en": "The program", "ko": "프로그램"},
}
"""Group to its title by language, in the order of the help."""


def _offer(number: int) -> Action:
    return Action(
        f"offer-{number}",
        (f"{number}",),
        f"{number}",
        f"offer {number}",
        f"Do what the pane offers on {number}: enlarge a part or give a command.",
        group="look",
        name_ko=f"제공 {number}",
        about_ko=f"화면이 {number}번에 제공하는 것: 일부를 크게 보거나 명령을 내립니다.",
    )


ACTIONS: tuple[Action, ...] = (
    Action(
        "next",
        ("tab",),
        "Tab",
        "next",
        "Select the next process.",
        None,
        "process",
        "다음",
        "다음 프로세스를 선택합니다.",
    ),
    Action(
        "previous",
        ("shift+tab",),
        "Shift+Tab",
        "previous",
        "Select the previous process.",
        None,
        "process",
        "이전",
        "이전 프로세스를 선택합니다.",
    ),
    Action(
        "hold",
        ("space",),
        "space",
        "hold",
        "Hold the selected process before its next operation, or release it.",
        "hold {role}",
        "process",
        "붙잡기",
        "선택한 프로세스를 다음 연산 앞에서 붙잡거나 놓아줍니다.",
        "release {role}",
        "release",
        "놓아주기",
    ),
    Action(
        "step",
        ("n",),
        "n",
        "step",
        "Let the selected process do one operation.",
        "step {role}",
        "process",
        "한 걸음",
        "선택한 프로세스가 연산을 하나만 하게 합니다.",
    ),
    Action(
        "mode",
        ("b",),
        "b",
        "non-blocking",
        "Switch the selected process's descriptors between blocking and non-blocking.",
        "nonblocking {role}",
        "process",
        "논블로킹",
        "선택한 프로세스의 디스크립터를 블로킹과 논블로킹 사이에서 바꿉니다.",
        "blocking {role}",
        "blocking",
        "블로킹",
    ),
    Action(
        "inject",
        ("i",),
        "i",
        "inject",
        "Let the selected process send a text of yours.",
        "inject {role} {value}",
        "process",
        "넣기",
        "선택한 프로세스가 입력한 글을 보내게 합니다.",
    ),
    Action(
        "inject-again",
        ("I",),
        "I",
        "inject again",
        "Send the same text once more.",
        "inject {role} {value}",
        "process",
        "다시 넣기",
        "같은 글을 한 번 더 보냅니다.",
    ),
    Action(
        "faster",
        ("plus", "equals_sign"),
        "+",
        "faster",
        "Raise the selected process's messages a second.",
        "rate {role} {value}",
        "process",
        "빠르게",
        "선택한 프로세스의 초당 메시지 수를 늘립니다.",
    ),
    Action(
        "slower",
        ("minus",),
        "-",
        "slower",
        "Lower the selected process's messages a second.",
        "rate {role} {value}",
        "process",
        "느리게",
        "선택한 프로세스의 초당 메시지 수를 줄입니다.",
    ),
    Action(
        "flat-out",
        ("0",),
        "0",
        "flat out",
        "Let the selected process run as fast as it can.",
        "rate {role} 0",
        "process",
        "전속력",
        "선택한 프로세스를 가장 빠르게 돌립니다.",
    ),
    Action(
        "larger",
        ("right_square_bracket",),
        "]",
        "larger",
        "Double the size of the selected process's messages.",
        "size {role} {value}",
        "process",
        "크게",
        "선택한 프로세스의 메시지 크기를 두 배로 합니다.",
    ),
    Action(
        "smaller",
        ("left_square_bracket",),
        "[",
        "smaller",
        "Halve the size of the selected process's messages.",
        "size {role} {value}",
        "process",
        "작게",
        "선택한 프로세스의 메시지 크기를 절반으로 합니다.",
    ),
    Action(
        "stop",
        ("z",),
        "z",
        "stop",
        "Stop the selected process with SIGSTOP, or continue it with SIGCONT.",
        "stop {role}",
        "process",
        "정지",
        "선택한 프로세스를 SIGSTOP으로 세우거나 SIGCONT로 잇습니다.",
        "continue {role}",
        "continue",
        "계속",
    ),
    Action(
        "close",
        ("x",),
        "x",
        "close an end",
        "Let the selected process close one of its descriptors.",
        "close {role} {value}",
        "process",
        "끝 닫기",
        "선택한 프로세스가 디스크립터 하나를 닫게 합니다.",
    ),
    Action(
        "kill",
        ("k",),
        "k",
        "kill",
        "Kill the selected process with SIGKILL.",
        "kill {role}",
        "process",
        "죽이기",
        "선택한 프로세스를 SIGKILL로 죽입니다.",
    ),
    Action(
        "unblock",
        ("u",),
        "u",
        "unblock",
        "Wake the selected process from the call it sleeps in.",
        "unblock {role}",
        "process",
        "깨우기",
        "선택한 프로세스를 잠든 호출에서 깨웁니다.",
    ),
    Action(
        "add",
        ("a",),
        "a",
        "add",
        "Add a worker of the selected process's role.",
        "add {value}",
        "lab",
        "추가",
        "선택한 프로세스와 같은 역할의 일꾼을 더합니다.",
    ),
    Action(
        "remove",
        ("d",),
        "d",
        "remove",
        "Remove the selected worker.",
        "remove {role}",
        "lab",
        "빼기",
        "선택한 일꾼을 뺍니다.",
    ),
    Action(
        "restart",
        ("r",),
        "r",
        "restart",
        "Start the laboratory anew.",
        None,
        "lab",
        "다시 시작",
        "실험실을 처음부터 다시 시작합니다.",
    ),
    Action(
        "switch",
        ("l",),
        "l",
        "switch",
        "Turn the mechanism's own switch, where it has one.",
        None,
        "lab",
        "스위치",
        "메커니즘에 고유한 스위치가 있으면 바꿉니다.",
    ),
    Action(
        "variant",
        ("v",),
        "v",
        "variant",
        "Restart with the mechanism's next variant.",
        None,
        "lab",
        "변형",
        "메커니즘의 다음 변형으로 다시 시작합니다.",
    ),
    Action(
        "variants",
        ("V",),
        "V",
        "variants",
        "Choose a variant from the list.",
        None,
        "lab",
        "변형 목록",
        "목록에서 변형을 고릅니다.",
    ),
    Action(
        "menu",
        ("m",),
        "m",
        "menu",
        "Choose a mechanism.",
        None,
        "lab",
        "메뉴",
        "메커니즘을 고릅니다.",
    ),
    Action(
        "pause",
        ("p",),
        "p",
        "pause",
        "Let the view stand still, or go on; the workers run on.",
        None,
        "look",
        "멈춰 보기",
        "화면만 멈추거나 다시 움직입니다. 일꾼은 계속 돕니다.",
        other_name="resume",
        other_name_ko="이어 보기",
    ),
    *(_offer(number) for number in range(1, 10)),
    Action(
        "back",
        ("escape",),
        "Escape",
        "back",
        "Leave an enlarged part, and drop the filter.",
        None,
        "look",
        "돌아가기",
        "크게 본 부분에서 나오고 거르기를 그만둡니다.",
    ),
    Action(
        "up",
        ("up",),
        "Up",
        "up",
        "Scroll an enlarged part up by a line.",
        None,
        "look",
        "위로",
        "크게 본 부분을 한 줄 위로 넘깁니다.",
    ),
    Action(
        "down",
        ("down",),
        "Down",
        "down",
        "Scroll an enlarged part down by a line.",
        None,
        "look",
        "아래로",
        "크게 본 부분을 한 줄 아래로 넘깁니다.",
    ),
    Action(
        "page-up",
        ("pageup",),
        "PageUp",
        "page up",
        "Scroll an enlarged part up by a page.",
        None,
        "look",
        "한 쪽 위로",
        "크게 본 부분을 한 쪽 위로 넘깁니다.",
    ),
    Action(
        "page-down",
        ("pagedown",),
        "PageDown",
        "page down",
        "Scroll an enlarged part down by a page.",
        None,
        "look",
        "한 쪽 아래로",
        "크게 본 부분을 한 쪽 아래로 넘깁니다.",
    ),
    Action(
        "filter",
        ("slash",),
        "/",
        "filter",
        "Show only the calls that contain a text.",
        None,
        "look",
        "거르기",
        "어떤 글이 든 호출만 보입니다.",
    ),
    Action(
        "listing",
        ("c",),
        "c",
        "Python/C",
        "Show the program in Python or in C.",
        None,
        "look",
        "Python/C",
        "프로그램을 Python이나 C로 보입니다.",
    ),
    Action(
        "theme",
        ("t",),
        "t",
        "theme",
        "Take the next theme.",
        None,
        "look",
        "테마",
        "다음 테마로 바꿉니다.",
    ),
    Action(
        "save",
        ("s",),
        "s",
        "save",
        "Save a picture of the screen (SVG) in the current folder.",
        None,
        "look",
        "저장",
        "화면을 그림(SVG)으로 현재 폴더에 저장합니다.",
    ),
    Action(
        "help",
        ("question_mark",),
        "?",
        "help",
        "Show this help.",
        None,
        "program",
        "도움말",
        "이 도움말을 보입니다.",
    ),
    Action(
        "palette",
        ("ctrl+p",),
        "Ctrl+P",
        "palette",
        "Find an action, a variant or a theme by name, or type a command.",
        None,
        "program",
        "팔레트",
        "동작, 변형, 테마를 이름으로 찾거나 명령을 입력합니다.",
    ),
    Action(
        "quit",
        ("q",),
        "q",
        "quit",
        "End the laboratory and leave; Ctrl+C does the same everywhere.",
        None,
        "program",
        "끝내기",
        "실험실을 마치고 나갑니다. Ctrl+C는 어디서나 같습니다.",
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
