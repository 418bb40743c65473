"""Adding documents: dropped files and archives, or a folder of the server."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, cast

import streamlit as st

from devops_chatbot.work import Run
from knowledge.model import KnowledgeBase
from webui.components.blocks import quiet
from webui.components.session import client, setting, shown_errors, t

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


def show(base: KnowledgeBase) -> None:
    with st.container(key="add_files", gap="small"):
        _show_upload(base)
    with st.container(key="add_folder", gap="small"):
        _show_folders(base)


def _show_upload(base: KnowledgeBase) -> None:
    round_ = int(st.session_state.get("upload_round", 0))  # a new key empties the widget
    chosen = st.file_uploader(
        t("add.drop"), accept_multiple_files=True, key=f"upload_{base.id}_{round_}", label_visibility="collapsed"
    )
    limits = t("add.drop_help", file=setting("knowledge.max_file_mb"), upload=setting("knowledge.max_upload_mb"))
    st.html(
        f'<p class="cb-quiet">{escape(limits)} '
        f'<button class="cb-link" type="button" data-choose-folder="1">{escape(t("add.choose_folder"))}</button></p>'
    )
    files = cast("Sequence[UploadedFile]", chosen or [])
    if files and st.button(
        t("add.upload", count=len(files)), type="primary", icon=":material/upload:", key="send_files"
    ):
        with shown_errors(), st.spinner(t("add.sending")):
            _started(base, client().upload(base.id, [(file.name, file) for file in files]))


def _show_folders(base: KnowledgeBase) -> None:
    st.html(
        f'<div class="cb-section"><h3>{escape(t("add.folder_title"))}</h3>'
        f'<p class="cb-quiet">{escape(t("add.folder_help"))}</p></div>'
    )
    with shown_errors():
        for index, source in enumerate(client().sources(base.id)):
            with st.container(key=f"source_{index}", horizontal=True, vertical_alignment="center", border=True):
                st.html(f'<code class="cb-location">{escape(source.location)}</code>')
                if st.button(t("add.sync"), icon=":material/sync:", type="tertiary", key=f"sync_{index}"):
                    _started(base, client().sync(base.id, source.id))
                if st.button(t("add.forget"), icon=":material/link_off:", type="tertiary", key=f"forget_{index}"):
                    client().forget_source(base.id, source.id)
                    st.toast(t("add.forgotten"), icon=":material/check:")
                    st.rerun()
    allowed = setting("knowledge.folders")
    quiet(t("add.folder_allowed", folders=allowed) if allowed else t("add.folder_none"))
    with st.form("add_folder_form", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        location = st.text_input(
            t("add.folder_label"), placeholder=t("add.folder_placeholder"), label_visibility="collapsed",
            disabled=not allowed,
        )  # fmt: skip
        added = st.form_submit_button(t("add.folder_add"), icon=":material/create_new_folder:", disabled=not allowed)
    if added and location.strip():
        with shown_errors():
            _started(base, client().follow(base.id, location.strip()))


def _started(base: KnowledgeBase, run: Run) -> None:
    st.session_state.setdefault("runs", {})[base.id] = run.id
    st.session_state["upload_round"] = int(st.session_state.get("upload_round", 0)) + 1
    st.session_state["go_to_files"] = base.id
    st.rerun()
