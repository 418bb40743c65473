"""What a person sees before the first question: how to begin, and questions to try."""

from collections.abc import Sequence

import streamlit as st

from devops_chatbot.errors import ChatbotError, NotFound
from webui.components.blocks import card
from webui.components.places import place
from webui.components.runs import follow_run
from webui.components.session import client, language, plain, show_error, shown_errors, t, told


def show(chosen: Sequence[str]) -> str | None:
    """Draw it, for the chosen knowledge bases (none: all); returns the question that was picked."""
    try:
        bases = client().knowledge_bases()
        suggested = client().suggestions(chosen, language=language())
    except ChatbotError as error:
        show_error(error)
        return None
    run_id = st.session_state.get("sample_run")
    documents = sum(base.searchable for base in bases if not chosen or base.id in chosen)
    with st.container(key="welcome"):
        if run_id or not (documents or chosen):
            title, text = t("welcome.first_title"), t("welcome.first_text")
        else:
            title, text = t("welcome.title"), t("welcome.ready", count=documents)
        st.html(f'<div class="cb-hero"><h1>{title}</h1><p>{text}</p></div>')
        if run_id:
            _show_building(str(run_id))
        elif not documents:
            _show_start()
        else:
            return _show_questions(suggested)
    return None


def _show_start() -> None:
    with st.container(key="start_cards", horizontal=True, gap="medium"):
        with st.container(key="start_sample", border=True, width="stretch"):
            card(t("welcome.sample_title"), t("welcome.sample_text"))
            if st.button(t("welcome.sample_button"), type="primary", icon=":material/bolt:", key="build_samples"):
                with shown_errors():
                    st.session_state["sample_run"] = client().build_samples(language()).id
                    st.rerun()
        with st.container(key="start_own", border=True, width="stretch"):
            card(t("welcome.own_title"), t("welcome.own_text"))
            if st.button(t("welcome.own_button"), icon=":material/upload_file:", key="add_own"):
                st.switch_page(place("knowledge"))


def _show_building(run_id: str) -> None:
    with st.container(key="building", border=True):
        card(t("welcome.building"))
        try:
            run = follow_run(run_id, key="sample")
        except NotFound:
            run = None
    if run is None or run.ended:
        st.session_state.pop("sample_run", None)
        if run is not None and run.state == "failed":
            st.error(t("welcome.failed", error=plain(told(run.error))), icon=":material/error:")
        else:
            st.rerun()


def _show_questions(questions: Sequence[str]) -> str | None:
    picked: str | None = None
    if questions:
        st.html(f'<div class="cb-age cb-try">{t("welcome.try")}</div>')
    with st.container(key="try_questions", gap="small"):
        for index, question in enumerate(questions):
            if st.button(
                plain(question),
                key=f"try_{index}",
                width="stretch",
                icon=":material/arrow_forward:",
                icon_position="right",
            ):
                picked = question
    return picked
