"""The sidebar: the way around, a person's conversations, language and appearance."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from devops_chatbot.chat import ThreadSummary
from devops_chatbot.errors import ChatbotError
from webui.chat.live import answers
from webui.components import bridge, passage
from webui.components.places import place, places
from webui.components.session import client, language, plain, show_error, shown_errors, t
from webui.components.words import size
from webui.i18n import LANGUAGES

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

PAGE_SIZE = 30


def show(page: "Page") -> None:
    """Draw the sidebar; `page` is the one that is open."""
    with st.sidebar:
        st.html(f'<div class="cb-brand"><span>{t("app.name")}</span></div>')
        with st.container(key="places", gap=None):
            for each in places():
                st.page_link(each, width="stretch")
        at_chat = page.url_path == ""
        _conversations(st.query_params.get("thread") if at_chat else None)
        with st.container(key="preferences"):
            _preferences()


def _conversations(current: str | None) -> None:
    if st.button(t("threads.new"), icon=":material/add:", width="stretch", key="new_thread"):
        passage.close()
        st.switch_page(place("chat"))
    text = st.text_input(
        t("threads.search"),
        key="thread_search",
        placeholder=t("threads.search"),
        label_visibility="collapsed",
        icon=":material/search:",
    ).strip()
    limit = int(st.session_state.get("threads_shown", PAGE_SIZE))
    try:
        threads = client().threads(limit=limit, text=text or None)
    except ChatbotError as error:
        show_error(error)
        return
    with st.container(key="threads", gap=None):
        if not threads.items:
            words = t("threads.no_match", text=text) if text else t("threads.none")
            st.html(f'<p class="cb-quiet">{escape(words)}</p>')
        for name, group in _by_age(threads.items):
            st.html(f'<div class="cb-age">{t(f"threads.{name}")}</div>')
            for thread in group:
                _row(thread, selected=thread.id == current)
        if threads.total > limit:
            st.button(t("threads.more"), type="tertiary", key="more_threads", on_click=_show_more, args=(limit,))


def _row(thread: ThreadSummary, *, selected: bool) -> None:
    key = f"thread_selected_{thread.id}" if selected else f"thread_row_{thread.id}"
    title = thread.title or t("threads.untitled")
    with st.container(key=key, horizontal=True, gap=None, vertical_alignment="center", wrap=False):
        icon = ":material/progress_activity:" if _answering(thread.id) else None
        st.page_link(place("chat"), label=plain(title), icon=icon, width="stretch", query_params={"thread": thread.id})
        chosen = st.menu_button(
            t("threads.actions"),
            ["rename", "export", "delete"],
            icon=":material/more_horiz:",
            type="tertiary",
            key=f"thread_menu_{thread.id}",
            format_func=lambda option: t(f"threads.{option}"),
        )
    if chosen == "rename":
        st.dialog(t("threads.rename_title"))(_rename)(thread)
    elif chosen == "export":
        st.dialog(t("threads.export_title"))(_export)(thread)
    elif chosen == "delete":
        st.dialog(t("threads.delete_title"))(_delete)(thread, selected)


def _answering(thread_id: str) -> bool:
    live = answers().of(thread_id)
    return live is not None and not live.ended


def _show_more(limit: int) -> None:
    st.session_state["threads_shown"] = limit + PAGE_SIZE


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
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(t("app.cancel"), key="delete_thread_no"):
            st.rerun()
        sure = st.button(t("threads.delete"), type="primary", key="delete_thread_yes")
    if sure:
        with shown_errors():
            live = answers().of(thread.id)
            if live is not None and not live.ended:
                live.stop()
            client().delete_thread(thread.id)
            if selected:
                st.query_params.clear()
                passage.close()
            st.rerun()


def _preferences() -> None:
    with st.popover(t("app.preferences"), icon=":material/settings:", type="tertiary", width="stretch"):
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


def _by_age(threads: Sequence[ThreadSummary]) -> Iterator[tuple[str, list[ThreadSummary]]]:
    today = _day(datetime.now(UTC))
    for name, group in groupby(threads, key=lambda thread: _age(today - _day(thread.updated_at))):
        yield name, list(group)


def _day(moment: datetime) -> date:
    """The day it is there where the browser is."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - timedelta(minutes=st.context.timezone_offset or 0)).date()


def _age(passed: timedelta) -> str:
    if passed.days <= 1:
        return "yesterday" if passed.days == 1 else "today"
    return "week" if passed.days <= 7 else "older"
