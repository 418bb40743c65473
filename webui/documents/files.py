"""The file table: every document with its state, and what can be done with one or many."""

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import cast

import streamlit as st

from devops_chatbot.values import Page
from knowledge.model import Document, DocumentOrder, DocumentState, KnowledgeBase
from webui.components import passage
from webui.components.blocks import quiet, state_badge, sure
from webui.components.session import client, plain, shown_errors, t, told
from webui.components.words import ago, size

PAGE_SIZE = 25
CHUNKS_SHOWN = 50
_ORDER = "file_order"
COLUMNS: dict[str, DocumentOrder] = {
    "document": "source_uri",
    "state": "state",
    "passages": "chunks",
    "size": "bytes",
    "updated": "updated_at",
}
"""The heads of the table, and what a click on each sorts by."""
STATES: tuple[DocumentState, ...] = ("ready", "failed", "indexing", "waiting", "removing")


def show(base: KnowledgeBase) -> None:
    place = f"file_page_{base.id}"
    first_page = partial(st.session_state.update, {place: 1})
    with shown_errors():
        with st.container(key="file_filters", horizontal=True, vertical_alignment="bottom"):
            text = st.text_input(
                t("files.filter"), key=f"file_text_{base.id}", placeholder=t("files.filter"),
                label_visibility="collapsed", icon=":material/search:", on_change=first_page,
            ).strip()  # fmt: skip
            state = st.selectbox(
                t("files.state"), ["", *STATES], key=f"file_state_{base.id}", label_visibility="collapsed", width=180,
                format_func=lambda name: t(f"files.state_{name}") if name else t("files.all_states"),
                on_change=first_page,
            )  # fmt: skip
        first = (int(st.session_state.get(place, 1)) - 1) * PAGE_SIZE
        order, descending = st.session_state.get(_ORDER, ("source_uri", False))
        page = client().documents(
            base.id, state=cast(DocumentState, state) or None, text=text or None, sort=order, descending=descending,
            offset=first, limit=PAGE_SIZE,
        )  # fmt: skip
        if not page.items:
            quiet(t("files.no_match" if text or state else "files.none"), empty=True)
            return
        selected = _bulk(base, page)
        with st.container(key="file_table", gap=None):
            _head(order, descending, first_page)
            for document in page.items:
                _row(base, document, selected=document.id in selected)
        if page.total > PAGE_SIZE:
            with st.container(
                key="file_pages", horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
            ):
                pages = -(-page.total // PAGE_SIZE)
                words = t("files.range", first=first + 1, last=first + len(page.items), total=page.total, pages=pages)
                st.html(f'<span class="cb-quiet">{escape(words)}</span>')
                st.pagination(pages, key=place)


def _head(order: DocumentOrder, descending: bool, first_page: Callable[[], None]) -> None:
    """The heads of the columns: a click sorts by one, another click the other way round."""

    def sort_by(column: DocumentOrder) -> None:
        st.session_state[_ORDER] = (column, column == order and not descending)
        first_page()

    with st.container(key="file_head"):
        for name, column in COLUMNS.items():
            arrow = f":material/arrow_{'downward' if descending else 'upward'}:" if column == order else None
            st.button(
                t(f"files.{name}"), key=f"sort_{column}", type="tertiary", icon=arrow, icon_position="right",
                on_click=sort_by, args=(column,),
            )  # fmt: skip


def _bulk(base: KnowledgeBase, page: Page[Document]) -> set[str]:
    """What can be done with the selected rows; returns their ids."""
    ids = [document.id for document in page.items]
    selected = [each for each in ids if st.session_state.get(_box(each))]
    every = f"select_all_{ids[0]}"
    with st.container(key="file_bulk", horizontal=True, vertical_alignment="center", gap="small"):
        st.checkbox(
            t("files.select_all"), key=every, value=False,
            on_change=lambda: st.session_state.update({_box(each): bool(st.session_state[every]) for each in ids}),
        )  # fmt: skip
        if selected:
            st.html(f'<span class="cb-quiet">{escape(t("files.selected", count=len(selected)))}</span>')
            if st.button(t("files.download"), icon=":material/download:", type="tertiary", key="download_many"):
                st.dialog(t("files.download"))(_download)(base, [each for each in page.items if each.id in selected])
            if st.button(t("files.reindex"), icon=":material/refresh:", type="tertiary", key="reindex_many"):
                _reindex(base, selected)
            if st.button(t("files.remove"), icon=":material/delete:", type="tertiary", key="remove_many"):
                st.dialog(t("files.remove_title"))(_remove)(base, selected)
    return set(selected)


def _box(document_id: str) -> str:
    return f"pick_{document_id}"


def _row(base: KnowledgeBase, document: Document, *, selected: bool) -> None:
    key = f"file_{'on' if selected else 'row'}_{document.id}"
    with st.container(key=key, horizontal=True, vertical_alignment="center", gap=None, wrap=False):
        st.checkbox(
            t("files.select", name=plain(document.source_uri)), key=_box(document.id), label_visibility="collapsed",
            width="content",
        )  # fmt: skip
        st.html(_cells(document))
        options = ["show_chunks", "prepare_download", "reindex", "remove"]
        chosen = st.menu_button(
            t("files.actions"), options if document.chunks else options[1:], icon=":material/more_horiz:", type="tertiary",
            key=f"file_menu_{document.id}",
            format_func=lambda option: t(f"files.{option}"),
        )  # fmt: skip
    if chosen == "show_chunks":
        st.dialog(document.title or document.source_uri, width="large")(_chunks)(base, document)
    elif chosen == "prepare_download":
        st.dialog(t("files.download"))(_download)(base, [document])
    elif chosen == "reindex":
        _reindex(base, [document.id])
    elif chosen == "remove":
        st.dialog(t("files.remove_title"))(_remove)(base, [document.id])


def _cells(document: Document) -> str:
    title = document.title if document.title != document.source_uri else ""
    about = " · ".join(part for part in (title, document.loader, document.version[:8]) if part)
    error = f'<div class="cb-bad">{escape(told(document.error))}</div>' if document.error else ""
    notes = "".join(f'<div class="cb-note-line">{escape(told(note))}</div>' for note in document.notes)
    return (
        f'<div class="cb-file"><div><b>{escape(document.source_uri)}</b>'
        + (f'<div class="cb-quiet">{escape(about)}</div>' if about else "")
        + f"{error}{notes}</div><div>{state_badge(document.state, t(f'files.state_{document.state}'))}</div>"
        f"<div>{document.chunks or ''}</div><div>{size(document.bytes)}</div><div>{escape(ago(document.updated_at))}</div>"
        "</div>"
    )


def _reindex(base: KnowledgeBase, ids: Sequence[str]) -> None:
    with shown_errors():
        run = client().reindex(base.id, ids)
        st.session_state.setdefault("runs", {})[base.id] = run.id
        st.rerun()


def _remove(base: KnowledgeBase, ids: Sequence[str]) -> None:
    st.write(t("files.remove_explain", count=len(ids)))
    if sure(t("files.remove"), "remove"):
        with shown_errors():
            client().delete_documents(base.id, ids)
            st.toast(t("files.removed"), icon=":material/check:")
            st.rerun()


def _download(base: KnowledgeBase, documents: Sequence[Document]) -> None:
    with shown_errors():
        ids = [document.id for document in documents]
        original = client().download(base.id, *ids) if len(ids) == 1 else client().download_many(base.id, ids)
        st.text(f"{original.name} · {size(len(original.data))}")
        st.download_button(
            t("files.download"), original.data, original.name, original.media_type, type="primary",
            icon=":material/download:", key="download_original",
        )  # fmt: skip


def _chunks(base: KnowledgeBase, document: Document) -> None:
    with shown_errors():
        chunks = client().chunks(base.id, document.id)
        noted = document.splitter.split("/")
        details = (
            document.source_uri,
            t("knowledge.chunks", count=len(chunks)),
            document.loader,
            t("files.split", tokens=noted[2], overlap=noted[3]) if len(noted) == 4 else document.splitter,
            t("files.version", version=document.version[:12]),
        )
        quiet(" · ".join(details))
        pages, first = -(-len(chunks) // CHUNKS_SHOWN), 0
        if pages > 1:
            first = (st.pagination(pages, key=f"chunk_page_{document.id}") - 1) * CHUNKS_SHOWN
        for number, chunk in enumerate(chunks[first : first + CHUNKS_SHOWN], start=first + 1):
            where = " · ".join(part for part in (" › ".join(chunk.heading_path), passage.place(chunk.location)) if part)
            st.html(
                f'<div class="cb-chunk"><h4>{escape(t("files.chunk", number=number))}<span>{escape(where)}</span></h4>'
                f"<pre>{escape(chunk.text)}</pre></div>"
            )
