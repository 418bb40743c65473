"""A code block of an answer on the page: the code, the buttons to run and to edit it, and what its run gave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from devops_chatbot.client.client import Client
from devops_chatbot.code import CodeRun
from devops_chatbot.errors import ChatbotError
from sandbox.model import Language
from webui.chat import results
from webui.chat.codeblocks import HIGHLIGHT, Code, names_of, runnable, to_run
from webui.chat.liverun import Cell, LiveRun, runs
from webui.components.places import place
from webui.components.session import client, opener, show_error, shown_errors, t, told

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
    why_not: str = ""


class Spot:
    """Where a run on its way is drawn while the page waits for its end."""

    def __init__(self, live: LiveRun, cell: Cell, spot: "DeltaGenerator") -> None:
        self._live = live
        self._cell = cell
        self._spot = spot
        self._shown = (-1, -1)

    def draw(self) -> bool:
        """Draw what is new; true when this cell's run is over."""
        view = self._live.view()
        if view.ended or view.cell != self._cell:
            return True
        shown = (view.version, int(view.seconds * 4))
        if shown != self._shown:
            self._shown = shown
            self._spot.html(results.live(view))
        return False


class Unseen:
    """A run whose cell is not on the page, or whose end came while the page was drawn."""

    def __init__(self, live: LiveRun) -> None:
        self._live = live
        self._cell = live.view().cell

    def draw(self) -> bool:
        """True when it is over, or when it is another cell's turn."""
        view = self._live.view()
        return view.ended or view.cell != self._cell


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
    return Bench(thread=thread, names=names, kept=kept, live=live, why_not=why_not())


def why_not() -> str:
    """Why no code can be run now; empty when it can."""
    return _why_not(client())


def show(code: Code, language: str, *, message: str, bench: Bench) -> Spot | None:
    """Draw a block; gives the place of its run when one is on its way."""
    name = f"{message}_{code.number}"
    kept = bench.kept.get((message, code.number))
    text = to_run(code)
    current = kept.code if kept else text
    live = _live_cell(bench, message, code.number)
    spot: Spot | None = None
    with st.container(key=f"cell_{name}", gap=None):
        with st.container(key=f"cellbar_{name}", horizontal=True, vertical_alignment="center", gap="small"):
            edited = f'<span class="cb-tag">{escape(t("code.edited"))}</span>' if current != text else ""
            st.html(f'<span class="cb-lang">{escape(TITLES.get(language, language))}</span>{edited}')
            _tools(name, Cell(message=message, block=code.number, language=language, code=current), bench, kept,
                   original=text)  # fmt: skip
        if _editing(name):
            _editor(name, Cell(message=message, block=code.number, language=language, code=current), bench)
        else:
            shown = current if current != text else code.text
            st.code(live.code if live else shown, language=HIGHLIGHT.get(language, language))
        if live and bench.live:
            with st.container(key=f"cellout_{name}"):
                spot = Spot(bench.live, live, st.empty())
                spot.draw()
                for _ in range(len(kept.artifacts) + 2 if kept else 0):
                    st.empty()  # wipes away what was drawn there of the earlier run
        elif (error := _failure(bench.thread, message, code.number)) is not None:
            with st.container(key=f"cellout_{name}"):
                st.html(results.failed(error))
        elif kept:
            with st.container(key=f"cellout_{name}", gap="small"):
                results.show(kept, thread=bench.thread)
    return spot


def start(thread: str, cells: Sequence[Cell]) -> None:
    """Run these blocks, one after the other."""
    st.session_state.pop("run_failure", None)
    runs().start(opener(), thread, cells)


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
        st.session_state["run_failure"] = (live.thread, view.cell, view.failure)
    runs().forget(live.thread)


def _tools(name: str, cell: Cell, bench: Bench, kept: CodeRun | None, *, original: str) -> None:
    if bench.live and _live_cell(bench, cell.message, cell.block):
        st.button(
            t("code.stop"), icon=":material/stop_circle:", key=f"stoprun_{name}", on_click=bench.live.stop,
            type="tertiary",
        )  # fmt: skip
        return
    busy = bench.live is not None
    if kept and not _editing(name):
        label = t("code.restore") if cell.code != original else t("code.clear")
        icon = ":material/undo:" if cell.code != original else ":material/backspace:"
        st.button(
            label, icon=icon, key=f"clear_{name}", type="tertiary", disabled=busy, on_click=_clear,
            args=(bench.thread, kept.id),
        )  # fmt: skip
    if not _editing(name):
        st.button(
            t("code.edit"), icon=":material/edit:", key=f"editrun_{name}", type="tertiary", on_click=_edit,
            args=(name, cell.code),
        )  # fmt: skip
    if bench.why_not:
        with st.popover(t("code.run"), icon=":material/play_disabled:", type="tertiary", key=f"cannot_{name}"):
            st.html(
                f'<div class="cb-why"><h4>{escape(t("code.cannot"))}</h4><p>{escape(told(bench.why_not))}</p>'
                f'<p class="cb-quiet">{escape(t("code.cannot_help"))}</p></div>'
            )
            st.page_link(place("status"), label=t("code.look"), query_params={"section": "sandbox"})
    elif not _editing(name):
        st.button(
            t("code.again") if kept else t("code.run"), icon=":material/play_arrow:", key=f"run_{name}",
            type="tertiary", disabled=busy, on_click=start, args=(bench.thread, [cell]),
        )  # fmt: skip


def _editor(name: str, cell: Cell, bench: Bench) -> None:
    lines = cell.code.count("\n") + 1
    with st.container(key=f"editor_{name}", gap="small"):
        st.text_area(
            t("code.edit"), key=f"editing_{name}", label_visibility="collapsed",
            height=min(HEIGHTS[1], max(HEIGHTS[0], lines * LINE_PX + 30)),
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                t("code.run"), icon=":material/play_arrow:", key=f"runedit_{name}", type="primary",
                disabled=bool(bench.why_not) or bench.live is not None, on_click=_run_edited, args=(name, cell, bench.thread),
            )  # fmt: skip
            st.button(t("app.cancel"), key=f"leave_{name}", type="tertiary", on_click=_leave, args=(name,))
            st.html(f'<span class="cb-quiet">{escape(t("code.keeps"))}</span>', width="content")


def _edit(name: str, code: str) -> None:
    st.session_state[f"editing_{name}"] = code
    st.session_state[f"edit_open_{name}"] = True


def _leave(name: str) -> None:
    st.session_state.pop(f"edit_open_{name}", None)


def _editing(name: str) -> bool:
    return bool(st.session_state.get(f"edit_open_{name}"))


def _run_edited(name: str, cell: Cell, thread: str) -> None:
    code = str(st.session_state.get(f"editing_{name}") or "")
    _leave(name)
    if code.strip():
        start(thread, [Cell(message=cell.message, block=cell.block, language=cell.language, code=code)])


def _clear(thread: str, run: str) -> None:
    with shown_errors():
        client().bench.delete_run(thread, run)


def _live_cell(bench: Bench, message: str, block: int) -> Cell | None:
    if bench.live is None:
        return None
    view = bench.live.view()
    cell = view.cell
    return cell if not view.ended and (cell.message, cell.block) == (message, block) else None


def _failure(thread: str, message: str, block: int) -> ChatbotError | None:
    kept = st.session_state.get("run_failure")
    if kept is None:
        return None
    where, cell, error = kept
    return error if (where, cell.message, cell.block) == (thread, message, block) else None


@st.cache_data(show_spinner=False, ttl=600, max_entries=8, hash_funcs={Client: lambda client: client.url})
def _languages(of: Client) -> list[Language]:
    return of.bench.languages()


@st.cache_data(show_spinner=False, ttl=STATE_TTL_S, max_entries=8, hash_funcs={Client: lambda client: client.url})
def _why_not(of: Client) -> str:
    try:
        of.bench.state()
    except ChatbotError as error:
        return str(error)
    return ""
