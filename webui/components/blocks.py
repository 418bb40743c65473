"""Small pieces that several pages are built of."""

from collections.abc import Iterable, Sequence
from html import escape

import streamlit as st

from webui.components.session import t


def quiet(text: str, *, empty: bool = False) -> None:
    """A remark; `empty`: in place of what is not there."""
    st.html(f'<p class="cb-quiet{" cb-empty" if empty else ""}">{escape(text)}</p>')


def card(title: str, text: str = "") -> None:
    st.html(f'<div class="cb-card"><h2>{escape(title)}</h2>{f"<p>{escape(text)}</p>" if text else ""}</div>')


def banner(words: str, state: str) -> str:
    return f'<div class="cb-banner cb-{state}">{escape(words)}</div>'


def tag(words: str, kind: str = "") -> str:
    return f'<span class="cb-tag{f" cb-{kind}" if kind else ""}">{escape(words)}</span>'


def sure(label: str, key: str, *, disabled: bool = False) -> bool:
    """The last row of a dialog that asks before something is lost: whether to do it."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(t("app.cancel"), key=f"{key}_no"):
            st.rerun()
        return st.button(label, type="primary", key=f"{key}_yes", disabled=disabled)


def state_badge(state: str, words: str) -> str:
    """A dot and a word, in the colour of the state."""
    return f'<span class="cb-state cb-{escape(state)}">{escape(words)}</span>'


def table(kind: str, rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> str:
    """Rows of cells, which are HTML, below a head of words."""
    lines = "".join('<div class="cb-row">' + "".join(f"<div>{cell}</div>" for cell in row) + "</div>" for row in rows)
    if head:
        lines = (
            f'<div class="cb-row cb-row-head">{"".join(f"<div>{escape(words)}</div>" for words in head)}</div>{lines}'
        )
    return f'<div class="cb-table cb-{kind}">{lines}</div>'


def quietly(text: str) -> str:
    """A remark in a cell of a table."""
    return f'<div class="cb-quiet">{escape(text)}</div>'
