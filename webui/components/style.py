"""The look that the theme file cannot express."""

from pathlib import Path

import streamlit as st

from webui.components.session import t


def apply_style() -> None:
    """Put our style sheet on the page, with the words that Streamlit's own widgets would say in English."""
    words = {"drop": t("add.drop"), "browse": t("add.browse")}
    variables = "".join(f'--cb-{name}: "{text}";' for name, text in words.items())
    sheet = (Path(__file__).parent / "style.css").read_text("utf-8")
    st.html(f"<style>:root{{{variables}}}\n{sheet}</style>")
