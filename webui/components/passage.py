"""The side panel: a source opened beside the conversation, with the cited words highlighted in their surroundings."""

import secrets
from dataclasses import dataclass, field
from html import escape

import streamlit as st

from devops_chatbot.chat import Citation, Location
from devops_chatbot.errors import ChatbotError, NotFound
from webui.components.markup import passage_html
from webui.components.session import client, show_error, t

PANEL = "panel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the panel shows; `number` is the citation's, when it came from an answer."""

    ref: str
    quote: str = ""
    heading_path: tuple[str, ...] = ()
    number: int | None = None
    token: str = ""
    nonce: str = field(default_factory=lambda: secrets.token_hex(4))


def open_passage(
    ref: str, quote: str = "", *, heading_path: tuple[str, ...] = (), number: int | None = None, token: str = ""
) -> None:
    """Show this in the panel from the next run on; the same again closes it."""
    shown = opened()
    if shown and (shown.ref, shown.quote, shown.heading_path, shown.token) == (ref, quote, heading_path, token):
        close()
    else:
        st.session_state[PANEL] = Opened(ref=ref, quote=quote, heading_path=heading_path, number=number, token=token)


def close() -> None:
    st.session_state.pop(PANEL, None)


def opened() -> Opened | None:
    shown = st.session_state.get(PANEL)
    return shown if isinstance(shown, Opened) else None


def remember(token: str, citations: tuple[Citation, ...]) -> None:
    """Let inline markers of this answer be opened: `<token>-<number>`."""
    known: dict[str, Citation] = st.session_state.setdefault("citations", {})
    known.update({f"{token}-{citation.number}": citation for citation in citations})


def open_cited(name: str) -> None:
    """An inline marker was clicked. A name that is not known is no citation (yet)."""
    citation = st.session_state.get("citations", {}).get(name)
    if citation is not None:
        open_passage(
            citation.ref, citation.quote, heading_path=citation.heading_path, number=citation.number, token=name
        )


def place(location: Location) -> str:
    """Where in its file, in words; empty when the format has neither pages nor lines."""
    if location.page:
        return t("passage.page", page=location.page)
    if location.line_start and location.line_end and location.line_end > location.line_start:
        return t("passage.lines", start=location.line_start, end=location.line_end)
    return t("passage.line", start=location.line_start) if location.line_start else ""


def trail(title: str, heading_path: tuple[str, ...]) -> list[str]:
    """Title and headings without saying the same twice."""
    return list(dict.fromkeys(part for part in (title, *heading_path) if part))


def show_panel() -> None:
    """Draw the panel when something is open."""
    shown = opened()
    if shown is None:
        return
    with st.container(key="passage_panel", gap="small"):
        with st.container(key="passage_bar", horizontal=True, vertical_alignment="center", gap="small"):
            number = f'<span class="cb-number">{shown.number}</span>' if shown.number else ""
            st.html(f'<div class="cb-panel-title">{number}{escape(t("passage.title"))}</div>')
            st.button(t("passage.close"), icon=":material/close:", type="tertiary", key="passage_close", on_click=close)
        with st.container(key="passage_body", gap="small"):
            try:
                passage = client().chunk(shown.ref, shown.quote, shown.heading_path)
            except NotFound:
                st.info(t("error.NotFound"), icon=":material/info:")
                return
            except ChatbotError as error:
                show_error(error)
                return
            path = " › ".join(escape(part) for part in trail(passage.title, passage.heading_path)[1:])
            where = " · ".join(escape(part) for part in (passage.source_uri, place(passage.location)) if part)
            st.html(
                f'<div class="cb-source"><h3>{escape(passage.title or passage.source_uri)}</h3>'
                + (f'<div class="cb-path">{path}</div>' if path else "")
                + f'<div class="cb-where">{where}</div></div>'
            )
            if passage.changed:
                lost = passage.end <= passage.start
                st.html(f'<div class="cb-note">{escape(t("passage.lost" if lost else "passage.changed"))}</div>')
            st.html(passage_html(passage))
