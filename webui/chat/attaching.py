"""Files attached to a conversation: the row above the input, and sending new ones."""

import time
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from devops_chatbot.code import Attachment
from devops_chatbot.errors import ChatbotError
from webui.components.session import attempt, client, plain, shown_errors, t, told
from webui.components.words import size

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

EVERY_S = 0.5


class Reading:
    """Waits until the attached files have been read."""

    def __init__(self, thread: str, attached: Sequence[Attachment]) -> None:
        self._thread = thread
        self._states = _states(attached)
        self._looked_at = time.monotonic()

    def draw(self) -> bool:
        """True when one of them has been read, or cannot be known any more."""
        if time.monotonic() - self._looked_at < EVERY_S:
            return False
        self._looked_at = time.monotonic()
        try:
            return _states(client().bench.attachments(self._thread)) != self._states
        except ChatbotError:
            return True


def attached_to(thread: str | None) -> list[Attachment]:
    """The files of a conversation; none, and the reason on the page, when they cannot be known."""
    if thread is None:
        return []
    with shown_errors():
        return client().bench.attachments(thread)
    return []


def waiting(thread: str, attached: Sequence[Attachment]) -> list[Reading]:
    """What to wait for, when some file is being read."""
    return [Reading(thread, attached)] if any(each.state == "reading" for each in attached) else []


def show(thread: str, attached: Sequence[Attachment]) -> None:
    """A chip a file, with what can be done with it."""
    if not attached:
        return
    with st.container(key="attachments", horizontal=True, gap="small"):
        for each in attached:
            if each.state == "reading":
                note, hint = f'<span class="cb-dots"></span>{escape(t("attach.reading"))}', ""
            elif each.state == "ready":
                note, hint = escape(size(each.bytes)), t("attach.ready")
            else:
                note, hint = escape(" · ".join((size(each.bytes), t("attach.code_only")))), told(each.why)
            state = "code" if each.state == "code only" else each.state
            with st.container(
                key=f"attached_{each.id}", horizontal=True, vertical_alignment="center", gap=None, width="content"
            ):
                st.html(
                    f'<div class="cb-chip cb-chip-{state}" title="{escape(hint)}"><b>{escape(each.name)}</b>'
                    f"<span>{note}</span></div>",
                    width="content",
                )
                st.button(
                    t("attach.remove", name=plain(each.name)), icon=":material/close:", type="tertiary",
                    key=f"detach_{each.id}", on_click=attempt,
                    args=(client().bench.detach, thread, each.id),
                )  # fmt: skip


def send(thread: str, files: "Sequence[UploadedFile]") -> None:
    """Attach files that were dropped or chosen. Raises as the client does."""
    with st.spinner(t("add.sending")):
        client().bench.attach(thread, [(file.name, file) for file in files])


def _states(attached: Sequence[Attachment]) -> dict[str, str]:
    return {each.id: each.state for each in attached}
