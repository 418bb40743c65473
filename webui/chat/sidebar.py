"""The sidebar: the way around, a person's conversations, language and appearance."""

from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from devops_chatbot.chat import ThreadSummary
from devops_chatbot.errors import ChatbotError
from devops_chatbot.i18n import LANGUAGES
from webui.chat.live import answers
from webui.components import bridge, passage
from webui.components.blocks import quiet, sure
from webui.components.places import place, places
from webui.components.session import client, language, plain, shown_errors, t
from webui.components.words import aware, size

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

PAGE_SIZE = 30


def show(page: "Page") -> None:
    """Draw the sidebar; `page` is the one that is open."""
    with st.sidebar:
        st.html(f'<div class="cb-brand"><span>{t("app.name")}</span></div>')
        with st.container(key="places", gap=None):
            for each in places():
                waiting = _waiting() if each.url_path == "approvals" else 0
                st.page_link(each, width="stretch", label=f"{each.title} :violet-badge[{waiting}]" if waiting else None)
        if st.button(t("threads.new"), icon=":material/add:", width="stretch", key="new_thread"):
            passage.close()
            st.switch_page(place("chat"))
        text = st.text_input(
            t("threads.search"), key="thread_search", placeholder=t("threads.search"), label_visibility="collapsed",
            icon=":material/search:",
        ).strip()  # fmt: skip
        current = st.query_params.get("thread") if page.url_path == "" else None
        with shown_errors():
            _show_threads(text, current)
        with (
            st.container(key="preferences"),
            st.popover(t("app.preferences"), icon=":material/settings:", type="tertiary", width="stretch"),
        ):
            _show_preferences()


def _waiting() -> int:
    """How many calls wait for a person; what is wrong with the server is said by the page itself."""
    try:
        return len(client().approvals(state="open"))
    except ChatbotError:
        return 0


def _show_threads(text: str, current: str | None) -> None:
    limit = int(st.session_state.get("threads_shown", PAGE_SIZE))
    threads = client().threads(limit=limit, text=text or None)
    today = _day(datetime.now(UTC))
    with st.container(key="threads", gap=None):
        if not threads.items:
            quiet(t("threads.no_match", text=text) if text else t("threads.none"))
        for age, group in groupby(threads.items, key=lambda thread: _age(today - _day(thread.updated_at))):
            st.html(f'<div class="cb-age">{t(f"threads.{age}")}</div>')
            for thread in group:
                _row(thread, selected=thread.id == current)
        if threads.total > limit:
            st.button(
                t("threads.more"), type="tertiary", key="more_threads",
                on_click=lambda: st.session_state.update(threads_shown=limit + PAGE_SIZE),
            )  # fmt: skip


def _row(thread: ThreadSummary, *, selected: bool) -> None:
    key = f"thread_selected_{thread.id}" if selected else f"thread_row_{thread.id}"
    with st.container(key=key, horizontal=True, gap=None, vertical_alignment="center", wrap=False):
        st.page_link(
            place("chat"), label=plain(thread.title or t("threads.untitled")), width="stretch",
            icon=":material/progress_activity:" if answers().running(thread.id) else None,
            query_params={"thread": thread.id},
        )  # fmt: skip
        chosen = st.menu_button(
            t("threads.actions"), ["rename", "export", "delete"], icon=":material/more_horiz:", type="tertiary",
            key=f"thread_menu_{thread.id}", format_func=lambda option: t(f"threads.{option}"),
        )  # fmt: skip
    if chosen == "rename":
        st.dialog(t("threads.rename_title"))(_rename)(thread)
    elif chosen == "export":
        st.dialog(t("threads.export_title"))(_export)(thread)
    elif chosen == "delete":
        st.dialog(t("threads.delete_title"))(_delete)(thread, selected)


def _rename(thread: ThreadSummary) -> None:
    with st.form("rename_thread", border=False):
        title = st.text_input(t("threads.title_label"), value=thread.title, max_chars=200)
        with st.container(horizontal=True, horizontal_alignment="right"):
            saved = st.form_submit_button(t("app.save"), type="primary")
    if saved and title.strip():
        with shown_errors():
            client().rename_thread(thread.id, title.strip())
            st.rerun()


def _export(thread: ThreadSummary) -> None:
    st.write(t("threads.export_explain"))
    with shown_errors():
        archive = client().bench.export(thread.id)
        st.download_button(
            f"{t('threads.export')} · {size(len(archive.data))}", archive.data, archive.name, "application/zip",
            type="primary", icon=":material/download:", key="export_thread",
        )  # fmt: skip


def _delete(thread: ThreadSummary, selected: bool) -> None:
    st.write(t("threads.delete_explain", title=plain(thread.title or t("threads.untitled"))))
    if sure(t("threads.delete"), "delete_thread"):
        with shown_errors():
            live = answers().running(thread.id)
            if live is not None:
                live.stop()
            client().delete_thread(thread.id)
            if selected:
                st.query_params.clear()
                passage.close()
            st.rerun()


def _show_preferences() -> None:
    chosen = st.segmented_control(
        t("app.language"), list(LANGUAGES), default=language(), required=True, key="language_choice",
        format_func=lambda name: LANGUAGES[name],
    )  # fmt: skip
    if chosen and chosen != language():
        st.session_state["language"] = chosen
        st.rerun()
    shown = st.session_state.setdefault("theme_shown", bridge.chosen_theme())
    theme = st.segmented_control(
        t("app.theme"), bridge.THEMES, default=shown, required=True, key="theme_choice",
        format_func=lambda name: t(f"app.theme_{name}"),
    )  # fmt: skip
    if theme and theme != shown:
        st.session_state["theme_shown"] = theme
        bridge.want_theme(theme)
        st.rerun()


def _day(moment: datetime) -> date:
    """The day it is there where the browser is."""
    return (aware(moment) - timedelta(minutes=st.context.timezone_offset or 0)).date()


def _age(passed: timedelta) -> str:
    if passed.days <= 1:
        return "yesterday" if passed.days == 1 else "today"
    return "week" if passed.days <= 7 else "older"
