"""The look that the theme file cannot express."""

from functools import cache
from pathlib import Path

import streamlit as st

from webui.components.session import t


def apply_style() -> None:
    """Put our style sheet on the page, with the words that Streamlit's own widgets would say in English."""
    words = {"drop": t("add.drop"), "browse": t("add.browse")}
    variables = "".join(f'--cb-{name}: "{text}";' for name, text in words.items())
    st.html(f"<style>:root{{{variables}}}\n{_sheet()}</style>")


@cache
def _sheet() -> str:
    return (Path(__file__).parent / "style.css").read_text("utf-8")
