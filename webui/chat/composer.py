"""Where a question is written: the input, and what holds for the next question (sources, model, search)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from devops_chatbot.chat import ScenarioState, Thread
from devops_chatbot.schemas.threads import NewMessage
from devops_chatbot.status import ModelInfo
from knowledge.model import KnowledgeBase
from webui.components.places import place
from webui.components.session import plain, t
from webui.components.words import MODES, scenario_label

DEFAULTS = NewMessage()
OPTIONS: dict[str, Any] = {
    "ask_mode": DEFAULTS.mode,
    "ask_limit": DEFAULTS.limit,
    "ask_threshold": DEFAULTS.score_threshold,
    "ask_history": DEFAULTS.history_turns,
}
_AUTO = ""
_CHOSEN_FOR = "knowledge_chosen_for"


def message(text: str = "", *, regenerate: bool = False, route: str | None = None) -> NewMessage:
    """The question with everything that was chosen for it."""
    chosen = st.session_state.get
    return NewMessage(
        text=text,
        route=route or chosen("ask_route") or None,
        knowledge_bases=tuple(chosen("ask_knowledge", ())),
        model=chosen("ask_model") or None,
        mode=chosen("ask_mode") or DEFAULTS.mode,
        limit=chosen("ask_limit", DEFAULTS.limit),
        score_threshold=chosen("ask_threshold", DEFAULTS.score_threshold),
        history_turns=chosen("ask_history", DEFAULTS.history_turns),
        regenerate=regenerate,
    )


def keep_choices() -> None:
    """Streamlit forgets a widget's value when its page is not drawn; ours hold until they are changed."""
    for key in ("ask_route", "ask_knowledge", "ask_model", *OPTIONS):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def choose_knowledge(bases: Sequence[str]) -> None:
    """Ask these in the next new conversation."""
    st.session_state.update(ask_knowledge=list(bases), **{_CHOSEN_FOR: None})


def follow_choice(thread: Thread | None) -> None:
    """The knowledge bases that were chosen stay with their conversation; a new one begins with all of them."""
    state, thread_id = st.session_state, thread.id if thread else None
    if state.setdefault(_CHOSEN_FOR, None) == thread_id:
        return
    state[_CHOSEN_FOR] = thread_id
    asked = [message for message in thread.messages if message.role == "user"] if thread else []
    if asked or thread is None:
        state["ask_knowledge"] = list(asked[-1].knowledge_bases) if asked else []


def show_choices(
    bases: Sequence[KnowledgeBase],
    models: Sequence[ModelInfo],
    scenarios: Sequence[ScenarioState],
    *,
    code: Callable[[], None],
) -> None:
    """The row below the input; `code` draws what it has about code."""
    state = st.session_state
    names = {base.id: base.name for base in bases}
    state["ask_knowledge"] = [base for base in state.get("ask_knowledge", ()) if base in names]
    answering = [_AUTO, *(model.name for model in models)]
    routes = [_AUTO, *(scenario.name for scenario in scenarios if scenario.state in ("ready", "unknown"))]
    for key, options in (("ask_model", answering), ("ask_route", routes)):
        if state.get(key) not in options:
            state[key] = _AUTO
    for key, value in OPTIONS.items():
        state.setdefault(key, value)
    with st.container(key="choices", horizontal=True, gap="small", vertical_alignment="center"):
        _choose_knowledge(names)
        extractive = bool(models) and all(model.extractive for model in models)
        if not extractive:
            label = plain(state["ask_model"]) or t("composer.default_model")
            with st.popover(label, icon=":material/neurology:", type="tertiary", key="pick_model"):
                st.radio(
                    t("composer.model"), answering, key="ask_model",
                    format_func=lambda name: name or t("composer.default_model"),
                )  # fmt: skip
        _choose_rest(routes, scenarios)
        code()
        if extractive:
            with st.container(key="no_model", horizontal=True, gap=None, vertical_alignment="center", width="content"):
                st.html(f'<span class="cb-quiet">{t("chat.no_model")}</span>', width="content")
                st.page_link(place("status"), label=t("chat.connect_model"), query_params={"section": "models"})


def _choose_knowledge(names: Mapping[str, str]) -> None:
    chosen = st.session_state["ask_knowledge"]
    if len(chosen) == 1:
        label = plain(names[chosen[0]])
    else:
        label = t("composer.some_knowledge", count=len(chosen)) if chosen else t("composer.all_knowledge")
    with st.popover(label, icon=":material/library_books:", type="tertiary", disabled=not names, key="pick_knowledge"):
        st.multiselect(
            t("composer.knowledge"), list(names), key="ask_knowledge", format_func=names.__getitem__,
            placeholder=t("composer.choose"),
        )  # fmt: skip
        st.caption(t("composer.knowledge_help"))


def _choose_rest(routes: Sequence[str], scenarios: Sequence[ScenarioState]) -> None:
    state = st.session_state
    changed = state["ask_route"] or any(state[key] != value for key, value in OPTIONS.items())
    label = t("composer.options") + (" •" if changed else "")
    with st.popover(label, icon=":material/tune:", type="tertiary", key="pick_options"):
        st.selectbox(
            t("composer.route"), routes, key="ask_route",
            format_func=lambda name: scenario_label(name, scenarios) if name else t("route.auto"),
        )  # fmt: skip
        st.segmented_control(
            t("composer.mode"), MODES, key="ask_mode", required=True, format_func=lambda mode: t(f"mode.{mode}")
        )
        st.slider(t("composer.limit"), 1, 20, key="ask_limit")
        st.slider(t("composer.threshold"), 0.0, 1.0, step=0.05, key="ask_threshold")
        st.slider(t("composer.history"), 0, 30, key="ask_history")
        st.button(
            t("composer.reset"), type="tertiary", icon=":material/restart_alt:", key="reset_ask",
            on_click=lambda: state.update(OPTIONS, ask_route=_AUTO),
        )  # fmt: skip
