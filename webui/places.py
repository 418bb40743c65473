"""The pages, as Streamlit names them, for the navigation and for links from one to another."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import streamlit as st

from webui.session import t

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

Name = Literal["chat", "knowledge", "status"]
ICONS: dict[Name, str] = {
    "chat": ":material/forum:",
    "knowledge": ":material/library_books:",
    "status": ":material/tune:",
}


def place(name: Name) -> "Page":
    """A page by name."""
    from webui import chat_page, knowledge_page, status_page

    shows: dict[Name, Callable[[], None]] = {
        "chat": chat_page.show,
        "knowledge": knowledge_page.show,
        "status": status_page.show,
    }
    default = name == "chat"
    return st.Page(
        shows[name], title=t(f"app.{name}"), icon=ICONS[name], url_path=None if default else name, default=default
    )
