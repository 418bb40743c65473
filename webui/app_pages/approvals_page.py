"""The inbox: calls of agents that wait for a person, and what was decided before."""

from functools import partial
from html import escape

import streamlit as st

from devops_chatbot.calls import Approval
from webui.components import passage
from webui.components.blocks import quiet, quietly, state_badge, table
from webui.components.calls import show_approval
from webui.components.places import place
from webui.components.session import client, plain, shown_errors, t
from webui.components.words import ago

DECIDED_SHOWN = 30


def show() -> None:
    with st.container(key="page"):
        passage.show_panel()
        with st.container(key="page_head", horizontal=True, vertical_alignment="center"):
            st.html(f'<div class="cb-head"><h1>{t("approvals.title")}</h1><p>{t("approvals.subtitle")}</p></div>')
            st.button(t("status.refresh"), icon=":material/refresh:", key="refresh_approvals")
        with shown_errors():
            found = client().approvals()
            waiting = [each for each in found if each.state == "open"]
            if not waiting:
                quiet(t("approvals.none"), empty=True)
            for each in waiting:
                show_approval(each, decided=_decided, places=partial(_link, each))
            _show_decided([each for each in found if each.state != "open"][:DECIDED_SHOWN])


def _link(approval: Approval) -> None:
    st.page_link(
        place("chat"),
        label=t("approvals.conversation"),
        icon=":material/forum:",
        query_params={"thread": approval.thread},
    )


def _decided(approval: Approval) -> None:
    st.toast(t(f"approvals.toast_{approval.state}") if approval.state == "denied" else t("approvals.toast_approved"))
    st.rerun()


def _show_decided(decided: list[Approval]) -> None:
    if not decided:
        return
    st.subheader(plain(t("approvals.decided")), anchor=False)
    rows = [
        (
            state_badge(each.state, t(f"approvals.state_{each.state}")),
            f"<b>{escape(each.call.tool)}</b>{quietly(each.question)}",
            escape(each.decided_by or "–"),
            escape(ago(each.decided_at or each.created_at)),
        )
        for each in decided
    ]
    head = ("", t("approvals.call"), t("approvals.by"), t("approvals.when"))
    st.html(table("approvals", rows, head))
