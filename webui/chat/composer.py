"""Where a question is written: the input, and what holds for the next question (sources, model, search)."""

from collections.abc import Callable, Sequence
from typing import cast

import streamlit as st

from devops_chatbot.chat import ScenarioState, SearchMode
from devops_chatbot.schemas.threads import NewMessage
from devops_chatbot.status import ModelInfo
from knowledge.model import KnowledgeBase
from webui.components.places import place
from webui.components.session import plain, t
from webui.components.words import MODES, scenario_label

DEFAULTS = NewMessage()
_AUTO = ""


def message(text: str = "", *, regenerate: bool = False, route: str | None = None) -> NewMessage:
    """The question with everything that was chosen for it."""
    state = st.session_state
    return NewMessage(
        text=text,
        route=route or state.get("ask_route") or None,
        knowledge_bases=tuple(state.get("ask_knowledge", ())),
        model=state.get("ask_model") or None,
        mode=cast(SearchMode, state.get("ask_mode") or DEFAULTS.mode),
        limit=int(state.get("ask_limit", DEFAULTS.limit)),
        score_threshold=float(state.get("ask_threshold", DEFAULTS.score_threshold)),
        history_turns=int(state.get("ask_history", DEFAULTS.history_turns)),
        regenerate=regenerate,
    )


def keep_choices() -> None:
    """Streamlit forgets a widget's value when its page is not drawn; ours hold until they are changed."""
    for key in ("ask_route", "ask_knowledge", "ask_model", "ask_mode", "ask_limit", "ask_threshold", "ask_history"):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def show_choices(
    bases: Sequence[KnowledgeBase],
    models: Sequence[ModelInfo],
    scenarios: Sequence[ScenarioState],
    *,
    code: Callable[[], None],
) -> None:
    """The row below the input; `code` draws what it has about code."""
    with st.container(key="choices", horizontal=True, gap="small", vertical_alignment="center"):
        _choose_knowledge(bases)
        _choose_model(models)
        _choose_rest(scenarios)
        code()
        if _extractive(models):
            with st.container(key="no_model", horizontal=True, gap=None, vertical_alignment="center", width="content"):
                st.html(f'<span class="cb-quiet">{t("chat.no_model")}</span>', width="content")
                st.page_link(place("status"), label=t("chat.connect_model"), query_params={"section": "models"})


def _choose_knowledge(bases: Sequence[KnowledgeBase]) -> None:
    names = {base.id: base.name for base in bases}
    chosen = [base for base in st.session_state.get("ask_knowledge", ()) if base in names]
    st.session_state["ask_knowledge"] = chosen
    if len(chosen) == 1:
        label = plain(names[chosen[0]])
    else:
        label = t("composer.some_knowledge", count=len(chosen)) if chosen else t("composer.all_knowledge")
    with st.popover(label, icon=":material/library_books:", type="tertiary", disabled=not bases, key="pick_knowledge"):
        st.multiselect(
            t("composer.knowledge"), list(names), key="ask_knowledge", format_func=names.__getitem__,
            placeholder=t("composer.choose"),
        )  # fmt: skip
        st.caption(t("composer.knowledge_help"))


def _choose_model(models: Sequence[ModelInfo]) -> None:
    options = [_AUTO, *(model.name for model in models)]
    if st.session_state.get("ask_model") not in options:
        st.session_state["ask_model"] = _AUTO
    if _extractive(models):
        return
    chosen = str(st.session_state["ask_model"])
    label = plain(chosen) if chosen else t("composer.default_model")
    with st.popover(label, icon=":material/neurology:", type="tertiary", key="pick_model"):
        st.radio(
            t("composer.model"), options, key="ask_model", format_func=lambda name: name or t("composer.default_model")
        )


def _choose_rest(scenarios: Sequence[ScenarioState]) -> None:
    routes = [_AUTO, *(scenario.name for scenario in scenarios if scenario.state in ("ready", "unknown"))]
    if st.session_state.get("ask_route") not in routes:
        st.session_state["ask_route"] = _AUTO
    for key, value in (
        ("ask_mode", DEFAULTS.mode),
        ("ask_limit", DEFAULTS.limit),
        ("ask_threshold", DEFAULTS.score_threshold),
        ("ask_history", DEFAULTS.history_turns),
    ):
        st.session_state.setdefault(key, value)
    changed = message() != DEFAULTS.model_copy(update={
        "knowledge_bases": message().knowledge_bases, "model": message().model
    })  # fmt: skip
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
        st.button(t("composer.reset"), type="tertiary", icon=":material/restart_alt:", on_click=_reset, key="reset_ask")


def _reset() -> None:
    for key in ("ask_route", "ask_mode", "ask_limit", "ask_threshold", "ask_history"):
        st.session_state.pop(key, None)


def _extractive(models: Sequence[ModelInfo]) -> bool:
    return bool(models) and all(model.extractive for model in models)
