"""What runs: every store and model with its state, and a button that really uses each of them."""

from dataclasses import replace
from html import escape

import streamlit as st

from devops_chatbot.errors import ChatbotError
from devops_chatbot.status import Check
from webui.components.blocks import banner, quiet, quietly, state_badge, table
from webui.components.session import client, has_text, t, told


def show() -> None:
    readiness = client().readiness()
    checks = list(readiness.checks)
    with st.container(key="health_head", horizontal=True, vertical_alignment="center"):
        verdict = st.container()
        tested = st.button(t("status.test_all"), icon=":material/network_check:", key="test_all")
    if tested:
        with st.spinner(t("status.testing")):
            checks = [_really(check) if check.state != "disabled" else check for check in checks]
    failed = [check for check in checks if check.state == "failed"]
    models = [check for check in failed if check.name.startswith(("model ", "embedding "))]
    if not readiness.ready or len(failed) > len(models):
        verdict.html(banner(t("status.not_ready"), "failed"))
    elif models:  # one that does not answer stops nobody who uses others
        verdict.html(banner(t("status.models_failed", count=len(models)), "off"))
    else:
        verdict.html(banner(t("status.ready"), "ready"))
    rows = (
        (
            f"<b>{escape(_named(check.name))}</b>{quietly(told(check.why))}",
            state_badge(check.state, t(f"status.state_{check.state}")),
        )
        for check in checks
    )
    st.html(table("checks", rows))
    quiet(t("app.version", version=readiness.version))


def _named(name: str) -> str:
    """`embedding bundled` and `model local` name their thing behind a word."""
    kind, _, thing = name.partition(" ")
    if kind in ("embedding", "model"):
        return t(f"check.{kind}", name=thing)
    key = f"check.{name.replace(' ', '_')}"
    return t(key) if has_text(key) else name


def _really(check: Check) -> Check:
    """The check with what came out when the thing was used."""
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
