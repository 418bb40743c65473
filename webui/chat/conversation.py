"""Messages on the page: those that are there, and the one that is being written."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Protocol

import streamlit as st

from devops_chatbot.chat import Citation, Message, Route, ScenarioState
from webui.chat import codecell
from webui.chat.codeblocks import fenced, parts, runnable
from webui.chat.live import LiveAnswer, View
from webui.components import calls, passage
from webui.components.blocks import quiet
from webui.components.markup import answer_markdown
from webui.components.session import language, plain, t, told
from webui.components.words import scenario_label

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

TICK_S = 0.25
"""How soon a run of the script notices that it was interrupted."""
FRAME_S = 0.04
TITLE_SHOWN, SECTION_SHOWN = 52, 26
LONG_QUESTION, LONG_QUESTION_LINES, QUESTION_LINES_SHOWN = 1200, 16, 4
"""Characters and lines from which a question is folded, and the lines of it that stay."""


class Growing(Protocol):
    """Something on the page that grows until it has ended."""

    def draw(self) -> bool:
        """Draw what is new; true when it has ended."""


def show_question(text: str, *, key: str) -> None:
    """What was asked; of something long that was pasted only the beginning, and the rest folded."""
    lines = text.splitlines()
    with st.container(key=f"question_{key}"):
        if len(text) <= LONG_QUESTION and len(lines) <= LONG_QUESTION_LINES:
            st.text(text)
            return
        beginning = "\n".join(lines[:QUESTION_LINES_SHOWN])[:LONG_QUESTION]
        st.text(f"{beginning} …")
        with st.expander(t("chat.whole_question", count=len(lines))):
            st.code(text, language=None, height=320)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What came of drawing an answer: the scenario to answer again with (`""`: the router's choice), when asked for, and
    the places of code that is running.
    """

    again: str | None = None
    spots: tuple[codecell.Spot, ...] = ()


def show_answer(message: Message, scenarios: Sequence[ScenarioState], *, last: bool, bench: codecell.Bench) -> Shown:
    """Draw a saved answer."""
    token = "".join(letter for letter in message.id if letter.isalnum())
    passage.remember(token, message.citations or message.given)
    again: str | None = None
    with st.container(key=f"answer_{message.id}", gap="small"):
        if message.route:
            quoted = message.model == "extractive" and bool(message.citations)
            again = _show_route(message.route, scenarios, key=message.id, quoted=quoted, last=last)
        if message.thought:
            with st.expander(t("chat.thoughts"), icon=":material/psychology:", key=f"thought_{message.id}"):
                st.text(message.thought)
        spots = _show_text(message, token, bench)
        if message.work:
            calls.show_work(message.work, key=message.id)
            if message.work.limit and message.state != "complete":
                st.html(f'<div class="cb-note">{escape(told(message.work.limit))}</div>')
        if message.state == "stopped":
            st.html(f'<div class="cb-note">{escape(t("chat.stopped"))}</div>')
        elif message.state == "failed":
            what = t("chat.failed") if message.text.strip() else t("chat.unanswered")
            why = f"{what} {told(message.error)}".strip()
            st.html(f'<div class="cb-note cb-bad">{escape(why)}</div>')
        if message.given:
            st.html(f'<div class="cb-note">{escape(t("chat.uncited"))}</div>')
        if message.citations or message.given:
            _show_sources(message.citations or message.given, token)
        with st.container(key=f"after_{message.id}", horizontal=True, gap="small", vertical_alignment="center"):
            if message.text.strip():
                st.html(
                    f'<button class="cb-copy" type="button" data-copy="{escape(message.text)}" title="{escape(t("chat.copy"))}" '
                    f'data-done="{escape(t("chat.copied"))}"><span>{escape(t("chat.copy"))}</span></button>',
                    width="content",
                )
            if (
                last
                and message.state != "waiting"
                and st.button(
                    t("chat.regenerate"), icon=":material/refresh:", type="tertiary", key=f"again_{message.id}"
                )
            ):
                again = ""
            cost = [message.model] if message.model and message.model != "extractive" else []
            if message.usage and message.usage.seconds >= 0.1:
                cost.append(t("chat.seconds", seconds=f"{message.usage.seconds:.1f}"))
            if message.usage and message.usage.output_tokens:
                cost.append(t("chat.tokens", count=message.usage.input_tokens + message.usage.output_tokens))
            st.html(f'<span class="cb-quiet">{escape(" · ".join(cost))}</span>', width="content")
    return Shown(again=again, spots=spots)


def follow(spots: Sequence[Growing]) -> None:
    """Draw what grows until one of them has ended; may be interrupted at any time and begun again."""
    while not any(spot.draw() for spot in spots):
        time.sleep(FRAME_S)


class AnswerSpot:
    """Where an answer is drawn while it is written."""

    def __init__(self, live: LiveAnswer, scenarios: Sequence[ScenarioState]) -> None:
        with st.container(key="answer_live", gap="small"):
            self._status, self._fold, self._text = st.empty(), st.empty(), st.empty()
        self._thought: DeltaGenerator | None = None
        self._live = live
        self._scenarios = scenarios
        self._version, self._shown, self._thought_shown, self._drawn_at = -1, "", "", 0.0

    def draw(self) -> bool:
        """Draw what is new; true when the answer has ended."""
        view = self._live.wait(self._version, 0)
        now = time.monotonic()
        if view.version != self._version or now - self._drawn_at > TICK_S:
            self._version, self._drawn_at = view.version, now
            self._status.html(_progress(view, self._scenarios) + calls.lines(view.calls))
        if view.thought != self._thought_shown:
            self._thought_shown = view.thought
            if self._thought is None:  # once, so that who unfolds it is not interrupted
                self._thought = self._fold.expander(t("chat.thoughts"), icon=":material/psychology:").empty()
            self._thought.text(view.thought)
        if view.text != self._shown:
            self._shown = view.text
            # While it is written its markers name the evidence by its order.
            cited = [each.number for each in view.answer.citations] if view.answer else range(1, len(view.evidence) + 1)
            self._text.markdown(answer_markdown(self._shown, cited, "live"))
        return view.ended


def show_stopped(view: View) -> None:
    """An answer that ended too early, of which the server has kept nothing."""
    with st.container(key="answer_partial", gap="small"):
        if view.text:
            st.markdown(answer_markdown(view.text, (), "live"))
        if view.stopped:
            st.html(f'<div class="cb-note">{escape(t("chat.stopped"))}</div>')


def _show_text(message: Message, token: str, bench: codecell.Bench) -> tuple[codecell.Spot, ...]:
    """The answer's words, with buttons on the code that can be run; blocks that cannot be run stay in the Markdown."""
    cited = {each.number for each in message.citations}
    languages = {code.number: language for code, language in runnable(message.text, bench.names)}
    if not languages:
        st.markdown(answer_markdown(message.text, cited, token))
        return ()
    spots: list[codecell.Spot | None] = []
    prose: list[str] = []
    for part in (*parts(message.text), None):
        if isinstance(part, str):
            prose.append(part)
        elif part is not None and part.number not in languages:
            prose.append(f"\n{fenced(part)}\n")
        else:
            if prose:
                st.markdown(answer_markdown("\n".join(prose), cited, token))
                prose = []
            if part is not None:
                spots.append(codecell.show(part, languages[part.number], message=message.id, bench=bench))
    return tuple(spot for spot in spots if spot is not None)


def _show_route(route: Route, scenarios: Sequence[ScenarioState], *, key: str, quoted: bool, last: bool) -> str | None:
    again: str | None = None
    with st.container(key=f"route_{key}", horizontal=True, gap="small", vertical_alignment="center"):
        label = plain(scenario_label(route.scenario, scenarios))
        with st.popover(label, icon=":material/alt_route:", type="tertiary", key=f"why_{key}"):
            st.html(
                f'<div class="cb-why"><h4>{escape(t("route.why"))}</h4><p>{escape(told(route.why) or t("route.chosen"))}</p>'
                f'<p class="cb-quiet">{escape(t("route.sure", percent=round(route.confidence * 100)))}</p></div>'
            )
            others = [scenario for scenario in scenarios if scenario.name != route.scenario] if last else []
            if others:
                st.html(f'<div class="cb-why"><h4>{escape(t("route.instead"))}</h4></div>')
            weighed = {choice.scenario: choice.confidence for choice in route.alternatives}
            for scenario in sorted(others, key=lambda each: -weighed.get(each.name, 0)):
                ready = scenario.state in ("ready", "unknown")
                if st.button(
                    plain(scenario_label(scenario.name, scenarios)), key=f"route_{scenario.name}_{key}",
                    disabled=not ready, width="stretch", icon=":material/alt_route:",
                ):  # fmt: skip
                    again = scenario.name
                quiet(
                    (scenario.purpose.get(language()) or scenario.purpose.get("en", ""))
                    if ready
                    else told(scenario.why)
                )
        if quoted:
            st.html(
                f'<span class="cb-tag" title="{escape(t("chat.extract_help"))}">{escape(t("chat.extract"))}</span>',
                width="content",
            )
    return again


def _show_sources(citations: Sequence[Citation], token: str) -> None:
    shown = passage.opened()
    with st.container(key=f"sources_{token}", horizontal=True, gap="small"):
        for citation in citations:
            name = f"{token}-{citation.number}"
            where = passage.place(citation.location)
            title = passage.trail(citation.title or citation.source_uri, citation.heading_path)
            st.button(
                f"**{citation.number}** {plain(_chip(title))}",
                key=f"cite_open_{name}" if shown and shown.token == name else f"cite_{name}",
                help=plain(" › ".join(title) + (f" · {where}" if where else "")),
                on_click=passage.open_passage,
                args=(citation.ref, citation.quote),
                kwargs={"heading_path": citation.heading_path, "number": citation.number, "token": name},
            )


def _chip(trail: Sequence[str]) -> str:
    """A document and the section of it that is cited, within the width of a chip."""
    section = f" › {trail[-1]}" if len(trail) > 1 else ""
    section = section if len(section) <= SECTION_SHOWN else section[: SECTION_SHOWN - 1].rstrip() + "…"
    room = TITLE_SHOWN - len(section)
    name = trail[0] if len(trail[0]) <= room else trail[0][: room - 1].rstrip() + "…"
    return name + section


def _progress(view: View, scenarios: Sequence[ScenarioState]) -> str:
    if view.progress and view.progress.stage == "attachments" and view.route is None:
        words = told(view.progress.what)
    elif view.text:
        words = t("chat.writing")
    elif view.progress and view.progress.stage in ("waiting", "fallback"):
        words = told(view.progress.what)
    elif view.thought:
        words = t("chat.thinking")
    elif view.evidence:
        words = t("chat.found", count=len(view.evidence))
    elif view.route is None:
        words = t("chat.routing")
    elif view.progress and view.progress.what:
        words = told(view.progress.what)
    else:
        words = t("chat.searching") if view.route.sources else t("chat.writing")
    route = f"<b>{escape(scenario_label(view.route.scenario, scenarios))}</b>" if view.route else ""
    clock = f"<i>{escape(t('chat.seconds', seconds=int(view.seconds)))}</i>" if view.seconds >= 2 else ""
    return f'<div class="cb-progress" role="status"><span class="cb-dots"></span>{route}{escape(words)}{clock}</div>'
