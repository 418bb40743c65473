"""The one component of our own: what happens in the browser and Python has to know, and the other way round."""

import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast

import streamlit as st

from webui.components import passage
from webui.components.places import places
from webui.components.session import has_key, language, plain, t, use_key

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

KEY = "bridge"
THEMES = ("System", "Light", "Dark")
THEME_COOKIE = "chatbot_theme"


def mount() -> None:
    """Put the component on the page; once a run, before anything that may be interrupted."""
    panel = passage.opened()
    _component()(
        key=KEY,
        # In a list, because in a dictionary Streamlit looks for data frames, and imports pandas to know one.
        data=[
            {
                "language": language(),
                "chosen": st.session_state.get("language"),
                "theme": st.session_state.get("theme_wanted"),
                "opened": panel.nonce if panel else None,
                "gone": {"title": t("app.gone_title"), "text": t("app.gone_text")},
                "key": st.session_state.get("key_accepted"),
                "key_wanted": not has_key(),
            }
        ],
        height="content",
        on_cited_change=lambda: passage.open_cited(str(_sent("cited") or "")),
        on_closed_change=passage.close,
        on_remembered_change=lambda: use_key(str(_sent("remembered") or "")),  # this tab had a key before its reload
        on_unread_change=_on_unread,
    )


def want_theme(choice: str) -> None:
    """Show the pages in this theme from now on, in this browser."""
    st.session_state["theme_wanted"] = {
        "choice": choice,
        "paths": [f"/{each.url_path}" for each in places()],
        "nonce": secrets.token_hex(4),
    }


def chosen_theme() -> str:
    """The theme that was chosen in this browser."""
    chosen = st.context.cookies.get(THEME_COOKIE)
    return chosen if chosen in THEMES else THEMES[0]


def _on_unread() -> None:
    """Folders and files were dropped that the browser may not read."""
    names = ", ".join(cast(list[str], _sent("unread") or []))
    st.toast(plain(t("add.unread", names=names)), icon=":material/error:", duration=20)


def _sent(name: str) -> object:
    """What the browser says under this name."""
    return cast(dict[str, object], st.session_state[KEY]).get(name)


@cache
def _component() -> "ComponentRenderer":
    return st.components.v2.component("chatbot_bridge", js=(Path(__file__).parent / "bridge.js").read_text("utf-8"))
