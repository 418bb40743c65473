"""What holds for the code of one conversation: the auto-run switch, and the session that the code runs in."""

from html import escape

import streamlit as st

from devops_chatbot.code import ThreadSandbox
from devops_chatbot.errors import ChatbotError
from webui.chat import codecell
from webui.components.places import place
from webui.components.session import client, show_error, shown_errors, t, told

FOR_NEW = "auto_run_new"
"""Where the switch of a conversation that has not begun yet is kept."""


def show(thread: str | None) -> None:
    """A button in the row below the input."""
    state = ThreadSandbox(auto_run=bool(st.session_state.get(FOR_NEW)))
    if thread:
        try:
            state = client().bench.sandbox(thread)
        except ChatbotError as error:
            show_error(error)
            state = ThreadSandbox()
    label = t("code.menu_auto") if state.auto_run else t("code.menu")
    with st.popover(label, icon=":material/terminal:", type="tertiary", key="pick_code"):
        key = f"switch_{thread}"
        st.session_state[key] = state.auto_run
        st.toggle(t("code.auto"), key=key, on_change=_switched, args=(thread, key))
        st.html(f'<p class="cb-quiet">{escape(t("code.auto_help"))}</p>')
        why = codecell.why_not(client())
        text = t("code.open_session", count=state.session.runs) if state.session else t("code.no_session")
        st.html(
            f'<div class="cb-why"><h4>{escape(t("code.cannot" if why else "code.session"))}</h4>'
            f"<p{' class=cb-quiet' if why else ''}>{escape(told(why) if why else text)}</p></div>"
        )
        if why:
            st.page_link(place("status"), label=t("code.look"), query_params={"section": "sandbox"})
        elif thread and state.session:
            with st.container(horizontal=True, gap="small"):
                st.button(
                    t("code.reset"), icon=":material/restart_alt:", key=f"reset_{thread}", on_click=_do,
                    args=("reset", thread), help=t("code.reset_help"),
                )  # fmt: skip
                st.button(
                    t("code.close"), icon=":material/power_settings_new:", key=f"close_{thread}", on_click=_do,
                    args=("close", thread), help=t("code.close_help"),
                )  # fmt: skip


def begun(thread: str) -> None:
    """A conversation has begun: it takes over what was switched on before."""
    if st.session_state.pop(FOR_NEW, False):
        with shown_errors():
            client().bench.set_auto_run(thread, wanted=True)


def _switched(thread: str | None, key: str) -> None:
    if key not in st.session_state:  # of a page that is not shown any more
        return
    wanted = bool(st.session_state[key])
    if thread is None:
        st.session_state[FOR_NEW] = wanted
        return
    with shown_errors():
        client().bench.set_auto_run(thread, wanted=wanted)


def _do(action: str, thread: str) -> None:
    with shown_errors():
        bench = client().bench
        (bench.reset if action == "reset" else bench.close_session)(thread)
        st.toast(t("code.was_reset") if action == "reset" else t("code.was_closed"), icon=":material/check:")
