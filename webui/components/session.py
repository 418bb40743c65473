"""Who looks at the pages: their connection to the API, their language, and the words in it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import cast

import streamlit as st

from devops_chatbot.client.client import Client
from devops_chatbot.errors import ChatbotError
from devops_chatbot.i18n import Language, Reason, language_of_locale
from webui.i18n import TEXTS, known

DEFAULT_URL = "http://127.0.0.1:8600"
LANGUAGE_COOKIE = "chatbot_language"


def opener() -> Callable[[], Client]:
    """Opens clients of this person's, also outside a run of the script; close them."""
    return partial(Client, _url(), key=_key(), language=language())


def client() -> Client:
    """The client that this person's pages share."""
    return _shared_client(_url(), _key(), language())


def use_key(key: str) -> None:
    """Speak to the API with this key from now on."""
    st.session_state["key"] = key


def has_key() -> bool:
    """Whether a key was given, by this person or by who started the pages."""
    return _key() is not None


def keep_key() -> None:
    """The API has accepted this person's key: let the browser's tab keep it."""
    key = st.session_state.get("key")
    if key and st.session_state.get("key_accepted") != key:
        st.session_state["key_accepted"] = key
        st.rerun()


def language() -> Language:
    """As chosen here, else as chosen in this browser before, else by the settings, else as the browser asks."""
    state = st.session_state
    if chosen := known(state.get("language")) or known(st.context.cookies.get(LANGUAGE_COOKIE)):
        return chosen
    if "language_of_settings" not in state:
        try:
            settings = _shared_client(_url(), _key(), "en").settings().settings
        except ChatbotError:
            return language_of_locale(st.context.locale)
        state["language_of_settings"] = next((each.value for each in settings if each.key == "ui.language"), "auto")
    return known(state["language_of_settings"]) or language_of_locale(st.context.locale)


def setting(key: str) -> str:
    """The value in force of a setting, as text; empty where it has none or cannot be known."""
    with shown_errors():
        return next((one.value for one in client().settings().settings if one.key == key), "")
    return ""


def told(reason: Reason | None) -> str:
    """What the server said, in this person's language; nothing where it gave no reason."""
    return reason.text(language()) if reason else ""


def t(key: str, **values: object) -> str:
    """The text of `key` in this person's language."""
    return TEXTS.text(key, language(), values)


def has_text(key: str) -> bool:
    return key in TEXTS.texts["en"]


def show_error(error: ChatbotError) -> None:
    """What went wrong, in the person's language, with the server's own words below."""
    name = f"error.{type(error).__name__}"
    st.error(
        f"**{t(name) if has_text(name) else t('error.title')}**  \n{plain(told(error.reason))}", icon=":material/error:"
    )


@contextmanager
def shown_errors() -> Iterator[None]:
    """An error of the API inside is shown where it happened; what comes after goes on."""
    try:
        yield
    except ChatbotError as error:
        show_error(error)


def attempt(action: Callable[..., object], *args: object) -> None:
    """For buttons: do it, or show what went wrong."""
    with shown_errors():
        action(*args)


def plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+-!|$:~" else letter for letter in text)


@st.cache_resource(show_spinner=False, max_entries=64)
def _shared_client(url: str, key: str | None, language: Language) -> Client:
    return Client(url, key=key, language=language)


def _url() -> str:
    return os.environ.get("CHATBOT_API_URL", DEFAULT_URL)


def _key() -> str | None:
    return cast(str | None, st.session_state.get("key")) or os.environ.get("CHATBOT_API_KEY")
