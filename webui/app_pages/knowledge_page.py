"""Knowledge bases: make one, fill it, look at what is in it, and try a search."""

from html import escape

import streamlit as st

from devops_chatbot.errors import ChatbotError
from knowledge.model import KnowledgeBase
from webui.chat import composer
from webui.components import passage
from webui.components.blocks import card, sure
from webui.components.places import place
from webui.components.runs import follow_run, show_result
from webui.components.session import client, plain, show_error, shown_errors, t
from webui.components.words import size
from webui.documents import adding, files, trysearch

CURRENT = "current_base"
TABS = {"files": files.show, "add": adding.show, "try": trysearch.show}


def show() -> None:
    try:
        bases = client().knowledge_bases()
    except ChatbotError as error:
        show_error(error)
        return
    with st.container(key="page"):
        passage.show_panel()
        with st.container(key="page_head", horizontal=True, vertical_alignment="center"):
            st.html(f'<div class="cb-head"><h1>{t("knowledge.title")}</h1><p>{t("knowledge.subtitle")}</p></div>')
            if st.button(t("knowledge.new"), icon=":material/add:", type="primary", key="new_base"):
                st.dialog(t("knowledge.new"))(_edit)(None)
        if not bases:
            with st.container(key="no_base", border=True):
                card(t("knowledge.none_title"), t("knowledge.none_text"))
                if st.button(t("knowledge.new"), icon=":material/add:", key="new_base_first"):
                    st.dialog(t("knowledge.new"))(_edit)(None)
            return
        base = _choose(bases)
        _show_head(base)
        with shown_errors():
            _show_running(base)
        default = "files" if base.documents else "add"
        with st.container(key="tabs"):
            chosen = st.segmented_control(
                t("knowledge.choose"), list(TABS), default=default, required=True, key=f"tab_{base.id}",
                label_visibility="collapsed", format_func=lambda name: t(f"knowledge.{name}"),
            )  # fmt: skip
        TABS[chosen or default](base)


def _choose(bases: list[KnowledgeBase]) -> KnowledgeBase:
    """The knowledge base that the page is about; the address names it, so that it can be shared."""
    by_id = {base.id: base for base in bases}
    named = st.session_state.pop("go_to_base", None) or st.query_params.get("kb")
    if named in by_id and st.session_state.get(CURRENT) != named:
        st.session_state[CURRENT] = named
    elif st.session_state.get(CURRENT) not in by_id:
        st.session_state[CURRENT] = bases[0].id
    if len(bases) > 1:
        st.pills(
            t("knowledge.choose"), list(by_id), key=CURRENT, required=True, label_visibility="collapsed",
            format_func=lambda key: plain(by_id[key].name), on_change=_moved,
        )  # fmt: skip
    chosen = by_id[str(st.session_state[CURRENT])]
    st.query_params["kb"] = chosen.id
    return chosen


def _moved() -> None:
    st.query_params["kb"] = str(st.session_state[CURRENT])
    passage.close()


def _show_head(base: KnowledgeBase) -> None:
    documents = t("knowledge.documents", count=base.documents)
    if base.searchable < base.documents:
        documents = t("knowledge.searchable", searchable=base.searchable, documents=documents)
    counts = (
        documents,
        t("knowledge.chunks", count=base.chunks),
        size(base.bytes),
    )
    with st.container(key="base_head", horizontal=True, vertical_alignment="top", wrap=False):
        description = f"<p>{escape(base.description)}</p>" if base.description else ""
        st.html(
            f'<div class="cb-base"><h2>{escape(base.name)}</h2>{description}'
            f'<p class="cb-quiet">{escape(" · ".join(counts))}</p></div>'
        )
        if st.button(t("knowledge.ask"), icon=":material/forum:", key="ask_base", disabled=not base.searchable):
            composer.choose_knowledge([base.id])
            st.switch_page(place("chat"))
        chosen = st.menu_button(
            t("knowledge.actions"), ["edit", "reembed", "delete"], icon=":material/more_horiz:", key="base_menu",
            format_func=lambda option: t(f"knowledge.{option}"),
        )  # fmt: skip
    if chosen == "edit":
        st.dialog(t("knowledge.edit_title"))(_edit)(base)
    elif chosen == "reembed":
        st.dialog(t("knowledge.reembed"))(_reembed)(base)
    elif chosen == "delete":
        st.dialog(t("knowledge.delete_title"))(_delete)(base)


def _show_running(base: KnowledgeBase) -> None:
    """Work on this knowledge base: followed to its end, which then stays until the page is left."""
    runs: dict[str, str] = st.session_state.setdefault("runs", {})
    if base.id not in runs:
        running = [run for run in client().runs(knowledge_base=base.id) if not run.ended]
        if not running:
            return
        runs[base.id] = running[0].id
    run = client().run(runs[base.id])
    if run.ended:
        show_result(run)
        return
    with st.container(key="run", border=True):
        card(t("run.title_ingest"))
        follow_run(run.id, key="ingest")
    st.rerun()


def _edit(base: KnowledgeBase | None) -> None:
    """Name and describe a knowledge base; a new one has an embedding model to choose."""
    embeddings = {}
    with shown_errors():
        embeddings = {each.name: each for each in client().embeddings()} if base is None else {}
    embedding = next((name for name, each in embeddings.items() if each.default), None)
    with st.form("edit_base" if base else "create_base", border=False):
        name = st.text_input(
            t("knowledge.name"),
            value=base.name if base else "",
            placeholder=t("knowledge.name_placeholder"),
            max_chars=100,
        ).strip()
        description = st.text_area(
            t("knowledge.description"), value=base.description if base else "",
            placeholder=t("knowledge.description_placeholder"), max_chars=1000, height=90,
        ).strip()  # fmt: skip
        if len(embeddings) > 1:
            names = list(embeddings)
            embedding = st.selectbox(
                t("knowledge.embedding"), names, index=names.index(embedding) if embedding else 0,
                help=t("knowledge.embedding_help"),
            )  # fmt: skip
        with st.container(horizontal=True, horizontal_alignment="right"):
            saved = st.form_submit_button(t("app.save") if base else t("knowledge.create"), type="primary")
    if saved and not name:
        st.error(t("knowledge.name_needed"))
    elif saved:
        with shown_errors():
            if base:
                client().change_knowledge_base(base.id, name=name, description=description)
            else:
                made = client().create_knowledge_base(name, description=description, embedding=embedding)
                st.session_state["go_to_base"] = made.id
            st.rerun()


def _reembed(base: KnowledgeBase) -> None:
    st.write(t("knowledge.reembed_explain", embedding=plain(base.embedding)))
    with shown_errors():
        known = client().embeddings()
        names = [each.name for each in known]
        default = next((number for number, each in enumerate(known) if each.default), 0)
        chosen = st.selectbox(t("knowledge.embedding"), names, index=default, help=t("knowledge.embedding_help"))
        if st.button(t("knowledge.reembed"), type="primary", key="reembed_base") and chosen:
            run = client().reembed(base.id, chosen)
            st.session_state.setdefault("runs", {})[base.id] = run.id
            st.rerun()


def _delete(base: KnowledgeBase) -> None:
    st.write(t("knowledge.delete_explain", name=plain(base.name), documents=base.documents))
    typed = st.text_input(t("knowledge.delete_confirm"), placeholder=base.name)
    if sure(t("knowledge.delete"), "delete_base", disabled=typed.strip() != base.name.strip()):
        with shown_errors():
            client().delete_knowledge_base(base.id)
            st.session_state.get("runs", {}).pop(base.id, None)
            st.query_params.clear()
            passage.close()
            st.rerun()
