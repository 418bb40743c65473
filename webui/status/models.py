"""Which language and embedding models there are, whether they answer, and which of them does what."""

from collections.abc import Callable
from html import escape

import streamlit as st

from devops_chatbot.status import EmbeddingInfo, ModelInfo, ModelList, Trial
from webui.components.blocks import card, quiet, state_badge, tag
from webui.components.session import client, plain, shown_errors, t, told
from webui.components.words import role_label

UNASSIGNED = {"answer": "status.extractive", "route": "status.rules"}
"""Who does a role that no model is named for."""
EXAMPLE = """[models.local]
provider = "openai-compatible"
model = "qwen3:8b"
base_url = "http://127.0.0.1:11434/v1"

[roles]
answer = ["local"]"""


def show() -> None:
    models = client().models()
    st.subheader(plain(t("status.language_models")), anchor=False)
    if all(model.extractive for model in models.models):
        with st.container(key="connect", border=True):
            card(t("status.connect_title"), t("status.connect_text"))
            st.code(EXAMPLE, language="toml")
    for model in models.models:
        context = t("status.context", count=f"{model.context:,}") if model.context else ""
        detail = t("status.extractive") if model.extractive else _joined(model.provider, model.model, context)
        test = None if model.extractive else client().test_model
        _show_model(f"model_{model.name}", model, detail, [role_label(role) for role in model.roles], test)
    if models.roles:
        _show_roles(models)
    st.subheader(plain(t("status.embeddings")), anchor=False)
    for embedding in client().embeddings():
        detail = _joined(embedding.provider, embedding.model)
        tags = [t("status.default")] if embedding.default else []
        _show_model(f"embedding_{embedding.name}", embedding, detail, tags, client().test_embedding)


def _joined(*parts: str) -> str:
    return " · ".join(part for part in parts if part)


def _show_model(
    key: str, model: ModelInfo | EmbeddingInfo, detail: str, tags: list[str], test: Callable[[str], Trial] | None
) -> None:
    """A row with a test button; what the test found stays below it."""
    results: dict[str, Trial] = st.session_state.setdefault("tests", {})
    with st.container(key=f"row_{key}", horizontal=True, vertical_alignment="center", border=True, wrap=False):
        spot = st.container(gap=None)
        if test is not None and st.button(t("status.test"), key=f"test_{key}", icon=":material/network_check:"):
            with shown_errors(), st.spinner(t("status.testing")):
                results[key] = test(model.name)
        if found := results.get(key):
            words = t("status.test_ok" if found.ok else "status.test_failed", seconds=f"{found.seconds:.1f}")
            badge, why = state_badge("ready" if found.ok else "failed", words), told(found.detail)
        else:
            badge, why = state_badge(model.state, t(f"status.state_{model.state}")), told(model.why)
        spot.html(
            f'<div class="cb-model"><div><b>{escape(model.name)}</b>{"".join(map(tag, tags))}</div>'
            f'<div class="cb-quiet">{escape(detail)}</div>'
            f"<div>{badge}<span class='cb-quiet'>{escape(why)}</span></div></div>"
        )


def _show_roles(models: ModelList) -> None:
    st.subheader(plain(t("status.roles")), anchor=False)
    quiet(t("status.roles_help"))
    names = [model.name for model in models.models]
    with st.form("roles"):
        chosen = {
            role: st.multiselect(
                role_label(role), names, default=[name for name in held if name in names], key=f"role_{role}",
                placeholder=t(UNASSIGNED.get(role, "status.nobody")),
            )
            for role, held in models.roles.items()
        }  # fmt: skip
        with st.container(horizontal=True):
            saved = st.form_submit_button(t("app.save"), type="primary")
            reset = st.form_submit_button(t("status.roles_reset")) if models.switched else False
    with shown_errors():
        if saved:
            for role, named in chosen.items():
                if tuple(named) != models.roles[role]:
                    client().assign_role(role, named)
            st.toast(t("status.roles_saved"), icon=":material/check:")
        elif reset:
            for role in models.switched:
                client().reset_role(role)
                st.session_state.pop(f"role_{role}", None)
            st.rerun()
