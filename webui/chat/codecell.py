"""A code block of an answer on the page: the code, the buttons to run and to edit it, and what its run gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from devops_chatbot.client.client import Client
from devops_chatbot.code import CodeRun
from devops_chatbot.errors import ChatbotError
from devops_chatbot.i18n import Reason
from sandbox.model import Language
from webui.chat import results
from webui.chat.codeblocks import HIGHLIGHT, Code, names_of, runnable, to_run
from webui.chat.liverun import Cell, LiveRun, runs
from webui.components.blocks import tag
from webui.components.places import place
from webui.components.session import attempt, client, opener, show_error, t, told

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

STATE_TTL_S = 15
LINE_PX = 21
HEIGHTS = (110, 560)
TITLES = {"python": "Python", "shell": "Shell", "node": "JavaScript", "java": "Java"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the code blocks of one conversation need to know.

    `names` gives the language of a label, `kept` the newest run by message and block. `why_not`: nothing can be run
    here now, for this reason.
    """

    thread: str
    names: Mapping[str, str]
    kept: Mapping[tuple[str, int], CodeRun]
    live: LiveRun | None
    why_not: Reason | None = None


class Spot:
    """A run on its way, which the page waits for; drawn at its place, when its cell is on the page."""

    def __init__(self, live: LiveRun, cell: Cell, place: "DeltaGenerator | None" = None) -> None:
        self._live = live
        self._cell = cell
        self._place = place
        self._shown = (-1, -1)

    def draw(self) -> bool:
        """Draw what is new; true when this cell's run is over."""
        view = self._live.view()
        if view.ended or view.cell != self._cell:
            return True
        shown = (view.version, int(view.seconds * 4))
        if shown != self._shown and self._place is not None:
            self._shown = shown
            self._place.html(results.live(view))
        return False


def bench_of(thread: str) -> Bench:
    """What is known about a conversation's code; nothing of it can be run when that cannot be known."""
    live = runs().of(thread)
    if live is not None and live.ended:
        finish(live)
        live = None
    try:
        names = names_of(_languages(client()))
        kept = {(run.message, run.block): run for run in client().bench.runs(thread)}
    except ChatbotError as error:
        show_error(error)
        return Bench(thread=thread, names={}, kept={}, live=live)
    return Bench(thread=thread, names=names, kept=kept, live=live, why_not=why_not(client()))


@st.cache_data(show_spinner=False, ttl=STATE_TTL_S, max_entries=8, hash_funcs={Client: lambda client: client.url})
def why_not(of: Client) -> Reason | None:
    """Why this server can run no code now; empty when it can."""
    try:
        of.bench.state()
    except ChatbotError as error:
        return error.reason
    return None


def show(code: Code, language: str, *, message: str, bench: Bench) -> Spot | None:
    """Draw a block; gives the place of its run when one is on its way."""
    name = f"{message}_{code.number}"
    kept = bench.kept.get((message, code.number))
    text = to_run(code)
    current = kept.code if kept else text
    cell = Cell(message=message, block=code.number, language=language, code=current)
    view = bench.live.view() if bench.live else None
    live = (
        view.cell
        if view and not view.ended and (view.cell.message, view.cell.block) == (message, code.number)
        else None
    )
    editing = bool(st.session_state.get(f"edit_open_{name}"))
    spot: Spot | None = None
    with st.container(key=f"cell_{name}", gap=None):
        with st.container(key=f"cellbar_{name}", horizontal=True, vertical_alignment="center", gap="small"):
            edited = tag(t("code.edited")) if current != text else ""
            where = f'<span title="{escape(t("code.in_sandbox_help"))}">{tag(t("code.in_sandbox"))}</span>'
            st.html(f'<span class="cb-lang">{escape(TITLES.get(language, language))}</span>{where}{edited}')
            if live and bench.live:
                st.button(
                    t("code.stop"), icon=":material/stop_circle:", key=f"stoprun_{name}", on_click=bench.live.stop,
                    type="tertiary",
                )  # fmt: skip
            else:
                _tools(name, cell, bench, kept, original=text, editing=editing)
        if editing:
            _editor(name, cell, bench)
        else:
            shown = current if current != text else code.text
            st.code(live.code if live else shown, language=HIGHLIGHT.get(language, language))
        if live and bench.live:
            with st.container(key=f"cellout_{name}"):
                spot = Spot(bench.live, live, st.empty())
                spot.draw()
                for _ in range(len(kept.artifacts) + 2 if kept else 0):
                    st.empty()  # wipes away what was drawn there of the earlier run
        elif (failed := st.session_state.get("run_failure")) and failed[0] == (bench.thread, message, code.number):
            with st.container(key=f"cellout_{name}"):
                st.html(results.failed(failed[1]))
        elif kept:
            with st.container(key=f"cellout_{name}", gap="small"):
                results.show(kept, thread=bench.thread)
    return spot


def start(thread: str, cells: Sequence[Cell]) -> None:
    """Run these blocks, one after the other."""
    st.session_state.pop("run_failure", None)
    open_client = opener()
    runs().start(thread, lambda: LiveRun(open_client, thread, cells))


def cells_of(message: str, text: str, names: Mapping[str, str]) -> list[Cell]:
    """All blocks of an answer that can be run."""
    return [
        Cell(message=message, block=code.number, language=language, code=to_run(code))
        for code, language in runnable(text, names)
    ]


def finish(live: LiveRun) -> None:
    """A run has ended: keep why, when it could not be run, for as long as nothing else is run."""
    view = live.view()
    if view.failure is not None:
        st.session_state["run_failure"] = ((live.thread, view.cell.message, view.cell.block), view.failure)
    runs().forget(live.thread)


def _tools(name: str, cell: Cell, bench: Bench, kept: CodeRun | None, *, original: str, editing: bool) -> None:
    busy = bench.live is not None
    if kept and not editing:
        changed = cell.code != original
        st.button(
            t("code.restore") if changed else t("code.clear"), type="tertiary", disabled=busy, key=f"clear_{name}",
            icon=":material/undo:" if changed else ":material/backspace:",
            on_click=attempt, args=(client().bench.delete_run, bench.thread, kept.id),
        )  # fmt: skip
    if not editing:
        st.button(
            t("code.edit"), icon=":material/edit:", key=f"editrun_{name}", type="tertiary",
            on_click=lambda: st.session_state.update({f"editing_{name}": cell.code, f"edit_open_{name}": True}),
        )  # fmt: skip
    if bench.why_not:
        with st.popover(t("code.run"), icon=":material/play_disabled:", type="tertiary", key=f"cannot_{name}"):
            st.html(
                f'<div class="cb-why"><h4>{escape(t("code.cannot"))}</h4><p>{escape(told(bench.why_not))}</p>'
                f'<p class="cb-quiet">{escape(t("code.cannot_help"))}</p></div>'
            )
            st.page_link(place("status"), label=t("code.look"), query_params={"section": "sandbox"})
    elif not editing:
        st.button(
            t("code.again") if kept else t("code.run"), icon=":material/play_arrow:", key=f"run_{name}",
            type="tertiary", disabled=busy, on_click=start, args=(bench.thread, [cell]),
        )  # fmt: skip


def _editor(name: str, cell: Cell, bench: Bench) -> None:
    def run() -> None:
        code = str(st.session_state.get(f"editing_{name}") or "")
        st.session_state.pop(f"edit_open_{name}", None)
        if code.strip():
            start(bench.thread, [replace(cell, code=code)])

    lines = cell.code.count("\n") + 1
    with st.container(key=f"editor_{name}", gap="small"):
        st.text_area(
            t("code.edit"), key=f"editing_{name}", label_visibility="collapsed",
            height=min(HEIGHTS[1], max(HEIGHTS[0], lines * LINE_PX + 30)),
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                t("code.run"), icon=":material/play_arrow:", key=f"runedit_{name}", type="primary", on_click=run,
                disabled=bool(bench.why_not) or bench.live is not None,
            )  # fmt: skip
            st.button(
                t("app.cancel"), key=f"leave_{name}", type="tertiary",
                on_click=lambda: st.session_state.pop(f"edit_open_{name}", None),
            )  # fmt: skip
            st.html(f'<span class="cb-quiet">{escape(t("code.keeps"))}</span>', width="content")


@st.cache_data(show_spinner=False, ttl=600, max_entries=8, hash_funcs={Client: lambda client: client.url})
def _languages(of: Client) -> list[Language]:
    return of.bench.languages()
