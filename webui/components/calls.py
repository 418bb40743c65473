"""What agents do with tools, as it is shown: calls with what became of them, and a call that waits for a person."""

import json
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import streamlit as st

from devops_chatbot.calls import Approval, ToolCall, Work
from devops_chatbot.errors import ChatbotError
from devops_chatbot.schemas.tools import NewDecision
from webui.components import passage
from webui.components.blocks import quiet, state_badge, tag
from webui.components.session import client, plain, show_error, t, told
from webui.components.words import ago

RESULT_SHOWN = 4_000
ARGUMENTS_SHOWN = 160


def lines(calls: Sequence[ToolCall]) -> str:
    """One line of HTML a call, while an answer is on its way."""
    rows = "".join(
        f"<li>{state_badge(call.state, _state(call))} <code>{escape(_short(call))}</code></li>" for call in calls
    )
    return f'<ul class="cb-calls">{rows}</ul>' if rows else ""


def show_work(work: Work, *, key: str) -> None:
    """The calls behind an answer, folded; each unfolds to its arguments and what the tool said."""
    if work.calls:
        with st.expander(t("calls.title", count=len(work.calls)), icon=":material/build:"):
            for call in work.calls:
                _show_call(call, key=f"{key}_{call.id}")


def show_approval(
    approval: Approval, *, decided: Callable[[Approval], None], places: Callable[[], None] | None = None
) -> None:
    """A call that waits, with what a person needs to decide; `decided` is told what they said. `places` draws the way to its
    conversation.
    """
    with st.container(key=f"approval_{approval.id}", border=True, gap="small"):
        effect = tag(
            t(f"calls.effect_{approval.call.effect}"), "bad" if approval.call.effect == "dangerous" else "warn"
        )
        st.html(
            f'<div class="cb-approval"><b>{escape(t("calls.wants", name=approval.call.tool))}</b> {effect}'
            f'<div class="cb-quiet">{escape(t("calls.asked", question=approval.question))} · {escape(ago(approval.created_at))}'
            f"</div></div>"
        )
        if approval.unclear:
            st.warning(t("calls.unclear"), icon=":material/help:")
        written = json.dumps(dict(approval.call.arguments), indent=2, ensure_ascii=False)
        editing = st.session_state.get(f"edit_{approval.id}", False)
        if editing:
            written = st.text_area(t("calls.arguments"), written, key=f"arguments_{approval.id}", height="content")
        else:
            st.code(written, language="json", wrap_lines=True)
        _show_support(approval)
        if places:
            places()
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            for scope, label, explained in (
                ("once", "calls.approve", "calls.approve_help"),
                ("session", "calls.approve_session", "calls.approve_session_help"),
            ):
                if st.button(
                    t(label), type="primary" if scope == "once" else "secondary", key=f"{scope}_{approval.id}",
                    help=t(explained),
                ):  # fmt: skip
                    _approve(approval, scope, written if editing else None, decided)
            st.button(
                t("calls.edit"), key=f"edit_button_{approval.id}", type="tertiary", icon=":material/edit:",
                on_click=lambda: st.session_state.update({f"edit_{approval.id}": not editing}),
            )  # fmt: skip
            with st.popover(t("calls.deny"), type="tertiary", icon=":material/block:", key=f"deny_{approval.id}"):
                note = st.text_input(t("calls.why_not"), key=f"note_{approval.id}", max_chars=2000)
                if st.button(t("calls.deny"), key=f"deny_button_{approval.id}", type="primary"):
                    _decide(approval, NewDecision(approve=False, note=note), decided)


def _show_support(approval: Approval) -> None:
    if not approval.support:
        quiet(t("calls.no_support"))
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        st.html(f'<span class="cb-quiet">{escape(t("calls.because"))}</span>', width="content")
        for number, each in enumerate(approval.support):
            st.button(
                f"{plain(each.title)} · {t(f'calls.trust_{each.trust.value}')}", key=f"support_{approval.id}_{number}",
                on_click=passage.open_passage, args=(each.ref,),
            )  # fmt: skip


def _approve(approval: Approval, scope: Any, written: str | None, decided: Callable[[Approval], None]) -> None:
    arguments = None
    if written is not None:
        try:
            arguments = json.loads(written)
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            st.error(t("calls.no_json"), icon=":material/error:")
            return
    _decide(approval, NewDecision(approve=True, scope=scope, arguments=arguments), decided)


def _decide(approval: Approval, decision: NewDecision, decided: Callable[[Approval], None]) -> None:
    try:
        done = client().decide(approval.id, decision)
    except ChatbotError as error:
        show_error(error)
        return
    st.session_state.pop(f"edit_{approval.id}", None)
    decided(done)


def _show_call(call: ToolCall, *, key: str) -> None:
    marks = "".join(
        tag(words)
        for words in (
            t("calls.recovered") if call.recovered else "",
            t(f"calls.effect_{call.effect}") if call.effect != "read" else "",
            t("calls.approved") if call.approval else "",
        )
        if words
    )
    st.html(
        f'<div class="cb-call">{state_badge(call.state, _state(call))} <b>{escape(call.tool)}</b>{marks}'
        f'<span class="cb-quiet">{escape(call.agent)} · {escape(t("chat.seconds", seconds=f"{call.seconds:.1f}"))}</span></div>'
    )
    if call.arguments:
        st.code(json.dumps(dict(call.arguments), indent=2, ensure_ascii=False), language="json", wrap_lines=True)
    shown = call.text[:RESULT_SHOWN] if call.state == "done" else told(call.why) or call.text
    if shown:
        st.code(shown, language=None, wrap_lines=True)
    if call.ref and (call.chars > RESULT_SHOWN or call.chars > len(call.text)):
        st.button(
            t("calls.open", count=f"{call.chars:,}"), key=f"open_{key}", type="tertiary", icon=":material/open_in_full:",
            on_click=passage.open_passage, args=(call.ref,),
        )  # fmt: skip


def _state(call: ToolCall) -> str:
    return t(f"calls.state_{call.state}")


def _short(call: ToolCall) -> str:
    given = ", ".join(f"{name}={value}" for name, value in call.arguments.items())
    text = f"{call.tool}({given})"
    return text if len(text) <= ARGUMENTS_SHOWN else text[:ARGUMENTS_SHOWN] + "…"
