"""Status and settings: what runs, which models there are and what they do, and where every setting comes from."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

import streamlit as st

from devops_chatbot.errors import ChatbotError
from devops_chatbot.i18n import Reason
from devops_chatbot.status import Check, EmbeddingInfo, ModelInfo, ModelList, Setting, Trial
from webui.components.jobs import show_jobs, state_badge
from webui.components.session import client, language, plain, shown_errors, t, told
from webui.components.words import role_label
from webui.i18n.server import check_name, setting_description
from webui.status import sandbox_section

SECTIONS = ("health", "models", "sandbox", "jobs", "settings")
UNASSIGNED = {"answer": "status.extractive", "route": "status.rules"}
"""Who does a role that no model is named for."""
EXAMPLE = """[models.local]
provider = "openai-compatible"
model = "qwen3:8b"
base_url = "http://127.0.0.1:11434/v1"

[roles]
answer = ["local"]"""


def show() -> None:
    with st.container(key="page"):
        with st.container(key="page_head", horizontal=True, vertical_alignment="center"):
            st.html(f'<div class="cb-head"><h1>{t("status.title")}</h1><p>{t("status.subtitle")}</p></div>')
            st.button(t("status.refresh"), icon=":material/refresh:", key="refresh_status")
        named = st.query_params.get("section")
        with st.container(key="tabs"):
            chosen = st.segmented_control(
                t("status.title"), SECTIONS, default=named if named in SECTIONS else "health", required=True,
                key="status_section", label_visibility="collapsed", format_func=lambda name: t(f"status.{name}"),
            )  # fmt: skip
        sections: dict[str, Callable[[], None]] = {
            "health": _health,
            "models": _models,
            "sandbox": sandbox_section.show,
            "jobs": _jobs,
            "settings": _settings,
        }
        with shown_errors():
            sections[chosen or "health"]()


def _health() -> None:
    readiness = client().readiness()
    checks = list(readiness.checks)
    with st.container(key="health_head", horizontal=True, vertical_alignment="center"):
        banner = st.container()
        tested = st.button(t("status.test_all"), icon=":material/network_check:", key="test_all")
    if tested:
        with st.spinner(t("status.testing")):
            checks = [_really(check) for check in checks]
    words, state = _verdict(readiness.ready, checks)
    banner.html(f'<div class="cb-banner cb-{state}">{escape(words)}</div>')
    rows = "".join(
        f'<div class="cb-row"><div><b>{escape(check_name(check.name, language()))}</b>'
        f'<div class="cb-quiet">{escape(told(check.why))}</div></div>'
        f"<div>{state_badge(check.state, t(f'status.state_{check.state}'))}</div></div>"
        for check in checks
    )
    st.html(f'<div class="cb-table cb-checks">{rows}</div>')
    st.html(f'<p class="cb-quiet">{escape(t("app.version", version=readiness.version))}</p>')


def _verdict(ready: bool, checks: Sequence[Check]) -> tuple[str, str]:
    """What to say of all checks, and the colour: a model that does not answer stops nobody who uses others."""
    failed = [check for check in checks if check.state == "failed"]
    others = [check for check in failed if check.name.startswith(("model ", "embedding "))]
    if not ready or len(failed) > len(others):
        return t("status.not_ready"), "failed"
    return (t("status.models_failed", count=len(others)), "off") if others else (t("status.ready"), "ready")


def _really(check: Check) -> Check:
    """The check with what came out when the thing was used."""
    if check.state == "disabled":
        return check
    kind, _, name = check.name.partition(" ")
    try:
        if kind == "model":
            test = client().test_model(name)
        elif kind == "embedding":
            test = client().test_embedding(name)
        else:
            test = client().test_check(check.name)
    except ChatbotError as error:
        return replace(check, state="failed", why=error.reason)
    return replace(check, state="ready" if test.ok else "failed", why=test.detail)


def _jobs() -> None:
    names = {base.id: base.name for base in client().knowledge_bases()}
    show_jobs(client().jobs()[:50], names)


def _models() -> None:
    models = client().models()
    _heading(t("status.language_models"))
    if all(model.extractive for model in models.models):
        with st.container(key="connect", border=True):
            st.html(f'<div class="cb-card"><h2>{t("status.connect_title")}</h2><p>{t("status.connect_text")}</p></div>')
            st.code(EXAMPLE, language="toml")
    for model in models.models:
        _model(model)
    _roles(models)
    _heading(t("status.embeddings"))
    for embedding in client().embeddings():
        _embedding(embedding)


def _model(model: ModelInfo) -> None:
    if model.extractive:
        detail = t("status.extractive")
    else:
        context = t("status.context", count=f"{model.context:,}") if model.context else ""
        detail = " · ".join(part for part in (model.provider, model.model, context) if part)
    roles = "".join(f'<span class="cb-tag">{escape(role_label(role))}</span>' for role in model.roles)
    testable = not model.extractive
    _tested(f"model_{model.name}", model.name, detail, roles, model.state, model.why, testable, client().test_model)


def _embedding(embedding: EmbeddingInfo) -> None:
    default = f'<span class="cb-tag">{escape(t("status.default"))}</span>' if embedding.default else ""
    detail = " · ".join(part for part in (embedding.provider, embedding.model) if part)
    key = f"embedding_{embedding.name}"
    _tested(key, embedding.name, detail, default, embedding.state, embedding.why, True, client().test_embedding)


def _tested(
    key: str,
    name: str,
    detail: str,
    tags: str,
    state: str,
    why: Reason | None,
    testable: bool,
    test: Callable[[str], Trial],
) -> None:
    """A row with a test button; what the test found stays below it."""
    results: dict[str, Trial] = st.session_state.setdefault("tests", {})
    with st.container(key=f"row_{key}", horizontal=True, vertical_alignment="center", border=True, wrap=False):
        spot = st.container(gap=None)
        if testable and st.button(t("status.test"), key=f"test_{key}", icon=":material/network_check:"):
            with shown_errors(), st.spinner(t("status.testing")):
                results[key] = test(name)
        found = results.get(key)
        if found is not None:
            words = t("status.test_ok" if found.ok else "status.test_failed", seconds=f"{found.seconds:.1f}")
            state, shown, why = ("ready" if found.ok else "failed"), words, found.detail
        else:
            shown = t(f"status.state_{state}")
        spot.html(
            f'<div class="cb-model"><div><b>{escape(name)}</b>{tags}</div><div class="cb-quiet">{escape(detail)}</div>'
            f"<div>{state_badge(state, shown)}<span class='cb-quiet'>{escape(told(why))}</span></div></div>"
        )


def _roles(models: ModelList) -> None:
    if not models.roles:
        return
    _heading(t("status.roles"))
    st.html(f'<p class="cb-quiet">{escape(t("status.roles_help"))}</p>')
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
    if saved:
        _assign(models, chosen)
    elif reset:
        _reset(models)


def _reset(models: ModelList) -> None:
    with shown_errors():
        for role in models.switched:
            client().reset_role(role)
            st.session_state.pop(f"role_{role}", None)
        st.rerun()


def _assign(models: ModelList, chosen: dict[str, list[str]]) -> None:
    with shown_errors():
        for role, names in chosen.items():
            if tuple(names) != models.roles[role]:
                client().assign_role(role, names)
        st.toast(t("status.roles_saved"), icon=":material/check:")


def _settings() -> None:
    in_force = client().settings()
    words = t("status.settings_file", file=in_force.file) if in_force.file else t("status.no_settings_file")
    st.html(f'<p class="cb-quiet">{escape(words)}</p>')
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            t("status.filter"), placeholder=t("status.filter"), label_visibility="collapsed", icon=":material/search:",
            key="setting_text",
        ).strip()  # fmt: skip
        changed = st.toggle(t("status.only_changed"), key="setting_changed")
    shown = [
        setting
        for setting in in_force.settings
        if text.lower() in f"{setting.key} {setting.value} {setting.description}".lower()
        and (not changed or setting.origin != "default")
    ]
    st.html(_settings_table(shown))


def _settings_table(settings: Sequence[Setting]) -> str:
    if not settings:
        return f'<p class="cb-quiet cb-empty">{escape(t("status.no_match"))}</p>'
    rows = "".join(
        f'<div class="cb-row"><div><code>{escape(setting.key)}</code>'
        f'<div class="cb-quiet">{escape(setting_description(setting.key, setting.description, language()))}</div></div>'
        f"<div>{_value(setting.value)}</div>"
        f'<div><span class="cb-tag cb-origin-{setting.origin}">{escape(t(f"status.origin_{setting.origin}"))}</span></div>'
        "</div>"
        for setting in settings
    )
    head = "".join(f"<div>{escape(t(f'status.{name}'))}</div>" for name in ("setting", "value", "origin"))
    return f'<div class="cb-table cb-settings"><div class="cb-row cb-row-head">{head}</div>{rows}</div>'


def _value(value: str) -> str:
    return f"<code>{escape(value)}</code>" if value else f'<span class="cb-quiet">{escape(t("status.empty"))}</span>'


def _heading(text: str) -> None:
    st.subheader(plain(text), anchor=False)
