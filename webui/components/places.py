"""The pages as Streamlit names them, for the navigation and for links from one to another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import streamlit as st

from webui.components.session import t

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

KEY = "places"


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its name in the address and in `app.<name>` of the words, its icon, and what draws it."""

    name: str
    icon: str
    show: Callable[[], None]


def lay_out(pages: Sequence[Place]) -> "list[Page]":
    """Streamlit's pages for this run, of which the first is home."""
    st.session_state[KEY] = {
        each.name: st.Page(
            each.show, title=t(f"app.{each.name}"), icon=each.icon, url_path=each.name if number else None,
            default=not number,
        )
        for number, each in enumerate(pages)
    }  # fmt: skip
    return places()


def places() -> "list[Page]":
    """All pages of this run."""
    return list(cast("dict[str, Page]", st.session_state[KEY]).values())


def place(name: str) -> "Page":
    """A page by name."""
    return cast("dict[str, Page]", st.session_state[KEY])[name]
