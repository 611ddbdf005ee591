"""Predict, then reveal: the pane asks what happens next, the room guesses, and the kernel's own record answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from ipctui.lab.outcomes import Asked, Outcome, asked, is_certain, told
from ipctui.trace.records import Record
from ipctui.trace.text import visible
from ipctui.tui.source import past, recordable
from ipctui.widgets.canvas import Line, Span, cut

if TYPE_CHECKING:
    from ipctui.tui.app import IpctuiApp

OUTCOMES = {
    "returns": {"en": "{call} returns: it is done", "ko": "{call}이 돌아온다: 일을 마친다"},
    "part": {"en": "{call} returns, but only part of it is taken", "ko": "{call}이 돌아오지만 일부만 들어간다"},
    "end": {"en": "{call} returns 0: end of file", "ko": "{call}이 0을 돌려준다: 파일 끝"},
    "sleeps": {"en": "the kernel puts {process} to sleep: BLOCKED", "ko": "커널이 {process}를 재운다: 블록됨"},
    "EAGAIN": {"en": "{call} fails at once: EAGAIN", "ko": "{call}이 곧바로 실패한다: EAGAIN"},
    "broken": {
        "en": "nobody is at the other end: SIGPIPE, EPIPE",
        "ko": "반대쪽에 아무도 없다: SIGPIPE, EPIPE",
    },
    "error": {"en": "{call} fails with another error", "ko": "{call}이 다른 오류로 실패한다"},
    "EINTR": {"en": "a signal interrupts {call}: EINTR", "ko": "시그널이 {call}을 끊는다: EINTR"},
    "ends": {"en": "{process} ends without leaving {call}", "ko": "{process}가 {call}에서 나오지 못하고 끝난다"},
}
"""Outcome by kind, in each language."""

QUESTIONS = {
    "before": {
        "en": "What happens next? {process} stands before {call}.",
        "ko": "다음에 무슨 일이 생길까? {process}가 {call} 앞에 서 있다.",
    },
    "asleep": {
        "en": "What happens next? {process} sleeps in {call}.",
        "ko": "다음에 무슨 일이 생길까? {process}가 {call}에서 자고 있다.",
    },
}
"""The question, before an operation and within one."""

SENTENCES = {
    "step": {"en": "a digit guesses · n: let the kernel answer · Esc", "ko": "숫자로 예측 · n: 커널의 답 · Esc"},
    "wait": {
        "en": "a digit guesses · the answer comes with its next record · Esc",
        "ko": "숫자로 예측 · 다음 레코드가 오면 답이 나온다 · Esc",
    },
    "kernel": {"en": "The kernel", "ko": "커널의 답"},
    "right": {"en": "✓ RIGHT", "ko": "✓ 맞음"},
    "wrong": {"en": "× NOT SO", "ko": "× 아님"},
    "other": {"en": "none of these", "ko": "이 가운데 없음"},
    "again": {"en": "P asks again · Esc closes", "ko": "P 다시 묻기 · Esc 닫기"},
    "nothing": {
        "en": "the recording ends before it tells what came of {call}",
        "ko": "{call}의 결과를 말하기 전에 기록이 끝난다",
    },
    "not yet": {
        "en": "nothing recorded yet tells what came of {call}: End returns to now",
        "ko": "{call}의 결과는 아직 기록에 없다. End를 누르면 지금으로 돌아온다",
    },
    "hold": {
        "en": "hold {process} first (space): the question is about its next operation",
        "ko": "먼저 {process}를 붙잡는다(space): 다음 연산을 묻는 질문이다",
    },
    "nowhere": {
        "en": "{process} stands before no operation at this moment",
        "ko": "이 순간 {process}는 어떤 연산 앞에도 서 있지 않다",
    },
    "certain": {
        "en": "{call} asks the kernel for nothing: {process} simply does it; ask before the next one",
        "ko": "{call}은 커널에 아무것도 청하지 않는다. {process}는 그냥 한다. 다음 것 앞에서 묻는다",
    },
    "nobody": {"en": "no process is selected", "ko": "선택한 프로세스가 없다"},
}
"""What is said besides, by occasion."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A question, what was guessed (a place in `kinds`), and what the kernel said; both None until then."""

    question: Asked
    guess: int | None = None
    truth: Outcome | None = None

    @property
    def right(self) -> bool | None:
        """Whether the guess is what happened; None without a guess or an answer."""
        if self.guess is None or self.truth is None:
            return None
        return self.question.kinds[self.guess] == self.truth.kind


class Predict:
    """Asks an app's room, and waits for the record that answers."""

    def __init__(self, app: IpctuiApp) -> None:
        self._app = app
        self.now: Prediction | None = None
        self._heard: list[Outcome] = []
        self._listening = False

    @property
    def open(self) -> bool:
        """Whether a question is on the screen."""
        return self.now is not None

    @property
    def process(self) -> str:
        """The process that is asked about; "" without a question."""
        return self.now.question.process if self.now is not None else ""

    @property
    def asleep(self) -> bool:
        """Whether it sleeps already."""
        return self.now is not None and self.now.question.asleep

    @property
    def waiting(self) -> bool:
        """Whether a question has no answer yet."""
        return self.now is not None and self.now.truth is None

    def ask(self) -> None:
        """Ask about the selected process."""
        app, name = self._app, self._app.view.selected
        self.close()
        state, here = app.shown, self.live
        process = state.processes.get(name)
        if process is None:
            self._say("nobody")
            return
        t = app.source.now() if here else state.t
        question = asked(state, name, t)
        held = process.state is not None and process.state.state in ("held", "blocked")
        if here and not held and process.exited is None:
            self._say("hold", process=name)
            return
        if question is None:
            before = process.state.before if process.state is not None and process.exited is None else None
            certain = before is not None and is_certain(before.name)
            self._say("certain" if certain else "nowhere", process=name, call=f"{before.name}()" if before else "")
            return
        self.now = Prediction(question)
        if here:
            self._listen()
        app.redraw()

    def choose(self, place: int) -> None:
        """Guess one of the outcomes, counted from 0."""
        if self.now is not None and self.now.truth is None and place < len(self.now.question.kinds):
            self.now = Prediction(self.now.question, place)
            self._app.redraw()

    def answer(self) -> None:
        """Let the kernel answer: walk to the record that tells; of a live process it comes once it is stepped."""
        if self.waiting and not self.live:
            self._walk()

    def beat(self) -> None:
        """Show an answer that has come."""
        if self._heard and self.now is not None and self.now.truth is None:
            self._found(self._heard[0])

    def close(self) -> None:
        """Put the question away."""
        if self.now is None:
            return
        self.now = None
        self._hush()
        self._app.redraw()

    # The answer.

    @property
    def live(self) -> bool:
        """Whether the answer is still to happen: what is looked at is now."""
        return recordable(self._app.source) is not None and not self._app.walk.paused

    def _listen(self) -> None:
        source = recordable(self._app.source)
        if source is not None and not self._listening:
            source.listeners.append(self._take)
            self._listening = True

    def _hush(self) -> None:
        source = recordable(self._app.source)
        if source is not None and self._take in source.listeners:
            source.listeners.remove(self._take)
        self._listening = False
        self._heard = []

    def _take(self, records: Sequence[Record]) -> None:
        if self.now is not None and self.now.truth is None and not self._heard:
            question = self.now.question
            self._heard += [found for record in records if (found := told(record, question)) is not None][:1]

    def _walk(self) -> None:
        """Go forward in what was recorded, to the record that answers."""
        assert self.now is not None
        source, question = past(self._app.source), self.now.question
        cursor = self._app.walk.cursor
        if source is None or cursor is None:
            return
        for position, record in source.timeline.after(cursor.position):
            found = told(record, question)
            if found is not None:
                self._app.walk.at(position)
                self._found(found)
                return
        self._say("not yet" if recordable(self._app.source) is not None else "nothing", call=question.call)

    def _found(self, truth: Outcome) -> None:
        assert self.now is not None
        self.now = Prediction(self.now.question, self.now.guess, truth)
        self._hush()
        self._app.redraw()

    def _say(self, occasion: str, **names: str) -> None:
        self._app.say(SENTENCES[occasion][self._app.view.language].format(**names), "information")


def prediction_lines(now: Prediction, language: str, width: int, by_step: bool) -> list[Line]:
    """A question with its outcomes, or its answer: as many lines, so that nothing jumps when the kernel speaks."""
    question = now.question
    names = {"process": question.process, "call": question.call}
    text = QUESTIONS["asleep" if question.asleep else "before"][language].format(**names)
    lines: list[Line] = [[(f" ? {text}", "title")]]
    for place, kind in enumerate(question.kinds):
        lines.append(_choice(now, place, OUTCOMES[kind][language].format(**names), width))
    lines.append(_last(now, language, width, by_step))
    return lines


def _choice(now: Prediction, place: int, text: str, width: int) -> list[Span]:
    guessed, true = now.guess == place, now.truth is not None and now.question.kinds[place] == now.truth.kind
    mark = "✓" if true else "×" if guessed and now.truth is not None else "▸" if guessed else " "
    role = "running" if true else "error" if mark == "×" else "selected" if guessed else "text"
    if now.truth is not None and not true and not guessed:
        role = "dim"
    return [(f" {mark} ", role), (f"{place + 1}", "key"), (cut(f" {visible(text)}", width - 4), role)]


def _last(now: Prediction, language: str, width: int, by_step: bool) -> list[Span]:
    def said(occasion: str) -> str:
        return SENTENCES[occasion][language]

    if now.truth is None:
        return [(f" {said('step' if by_step or not now.question.asleep else 'wait')}", "dim")]
    spans: list[Span] = []
    if now.right is not None:
        spans.append((f" {said('right' if now.right else 'wrong')} ", "running" if now.right else "error"))
    if now.truth.kind not in now.question.kinds:
        spans.append((f" {said('other')} ", "warning"))
    tail = f" · {said('again')}"
    room = width - sum(cell_len(text) for text, _ in spans) - cell_len(tail) - 1
    kernel = cut(f" {said('kernel')}: {visible(now.truth.words)}", room)
    return [*spans, (kernel, "caption"), (tail, "dim")]
