"""The web pages' entry: what every page has around it, then the page."""

from pathlib import Path

import streamlit as st

from devops_chatbot.errors import ChatbotError, NotAllowed, Unavailable
from webui.app_pages.registry import PAGES
from webui.chat import sidebar
from webui.components import bridge
from webui.components.places import lay_out
from webui.components.session import client, keep_key, plain, show_error, t, told, use_key
from webui.components.style import apply_style


def main() -> None:
    st.set_page_config(
        page_title=t("app.name"),
        page_icon=str(Path(__file__).parent / "static" / "icon.svg"),
        layout="wide",
        initial_sidebar_state="auto",
    )
    apply_style()
    page = st.navigation(lay_out(PAGES), position="hidden")
    # Tell the browser which address this run shows: the next question, citation or button is sent from there.
    st.query_params.from_dict(st.query_params.to_dict())
    bridge.mount()
    try:
        client().threads(limit=1)
    except NotAllowed as error:
        if error.reason.code != "request.no_key":
            show_error(error)
            return
        with st.container(key="gate"), st.form("key_form"):
            st.subheader(t("key.title"), anchor=False)
            st.write(t("key.explain"))
            key = st.text_input(t("key.label"), type="password", autocomplete="current-password")
            if st.form_submit_button(t("key.enter"), type="primary") and key:
                use_key(key.strip())
                st.rerun()
            if st.session_state.get("key"):
                st.error(t("key.wrong"), icon=":material/key_off:")
    except Unavailable as error:
        with st.container(key="gate", border=True):
            st.subheader(t("error.unreachable"), anchor=False)
            st.write(plain(told(error.reason)))
            st.button(t("app.retry"), icon=":material/refresh:", type="primary")
    except ChatbotError as error:
        show_error(error)
    else:
        keep_key()
        sidebar.show(page)
        page.run()


main()
