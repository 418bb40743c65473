"""Status and settings: what runs, which models there are and what they do, and where every setting comes from."""

import streamlit as st

from webui.components.runs import show_runs
from webui.components.session import client, shown_errors, t
from webui.status import health, models, sandbox, settings

SECTIONS = {
    "health": health.show,
    "models": models.show,
    "sandbox": sandbox.show,
    "runs": lambda: show_runs(client().runs()[:50], {base.id: base.name for base in client().knowledge_bases()}),
    "settings": settings.show,
}


def show() -> None:
    with st.container(key="page"):
        with st.container(key="page_head", horizontal=True, vertical_alignment="center"):
            st.html(f'<div class="cb-head"><h1>{t("status.title")}</h1><p>{t("status.subtitle")}</p></div>')
            st.button(t("status.refresh"), icon=":material/refresh:", key="refresh_status")
        named = st.query_params.get("section")
        with st.container(key="tabs"):
            chosen = st.segmented_control(
                t("status.title"), list(SECTIONS), default=named if named in SECTIONS else "health", required=True,
                key="status_section", label_visibility="collapsed", format_func=lambda name: t(f"status.{name}"),
            )  # fmt: skip
        with shown_errors():
            SECTIONS[chosen or "health"]()
