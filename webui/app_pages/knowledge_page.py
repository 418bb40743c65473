"""Knowledge bases: make one, fill it, look at what is in it, and try a search."""

from html import escape

import streamlit as st

from devops_chatbot.errors import ChatbotError
from knowledge.model import KnowledgeBase
from webui.components import passage
from webui.components.jobs import follow_job, show_result
from webui.components.places import place
from webui.components.session import client, plain, show_error, shown_errors, t
from webui.components.words import size
from webui.knowledge import adding, files, trysearch

CURRENT = "current_base"


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
                st.dialog(t("knowledge.new"))(_create)()
        if not bases:
            _show_none()
            return
        base = _choose(bases)
        _show_head(base)
        _show_running(base)
        _show_tabs(base)


def _show_none() -> None:
    with st.container(key="no_base", border=True):
        st.html(f'<div class="cb-card"><h2>{t("knowledge.none_title")}</h2><p>{t("knowledge.none_text")}</p></div>')
        if st.button(t("knowledge.new"), icon=":material/add:", key="new_base_first"):
            st.dialog(t("knowledge.new"))(_create)()


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
    counts = (
        t("knowledge.documents", count=base.documents),
        t("knowledge.chunks", count=base.chunks),
        size(base.bytes),
    )
    with st.container(key="base_head", horizontal=True, vertical_alignment="top", wrap=False):
        description = f"<p>{escape(base.description)}</p>" if base.description else ""
        st.html(
            f'<div class="cb-base"><h2>{escape(base.name)}</h2>{description}'
            f'<p class="cb-quiet">{escape(" · ".join(counts))}</p></div>'
        )
        if st.button(t("knowledge.ask"), icon=":material/forum:", key="ask_base", disabled=not base.documents):
            st.session_state["ask_knowledge"] = [base.id]
            st.switch_page(place("chat"))
        chosen = st.menu_button(
            t("knowledge.actions"), ["edit", "delete"], icon=":material/more_horiz:", key="base_menu",
            format_func=lambda option: t(f"knowledge.{option}"),
        )  # fmt: skip
    if chosen == "edit":
        st.dialog(t("knowledge.edit_title"))(_edit)(base)
    elif chosen == "delete":
        st.dialog(t("knowledge.delete_title"))(_delete)(base)


def _show_running(base: KnowledgeBase) -> None:
    """Work on this knowledge base: followed to its end, which then stays until the page is left."""
    job_id = st.session_state.get("jobs", {}).get(base.id)
    with shown_errors():
        if job_id is None:
            running = [job for job in client().jobs(knowledge_base=base.id) if not job.ended]
            if not running:
                return
            job_id = st.session_state.setdefault("jobs", {})[base.id] = running[0].id
        job = client().job(job_id)
        if job.ended:
            show_result(job)
            return
        with st.container(key="job", border=True):
            st.html(f'<div class="cb-card"><h2>{t("job.title_ingest")}</h2></div>')
            follow_job(job_id, key="ingest")
        st.rerun()


def _show_tabs(base: KnowledgeBase) -> None:
    names = ["files", "add", "try"]
    default = "files" if base.documents else "add"
    with st.container(key="tabs"):
        chosen = st.segmented_control(
            t("knowledge.choose"), names, default=default, required=True, key=f"tab_{base.id}",
            label_visibility="collapsed", format_func=lambda name: t(f"knowledge.{name}"),
        )  # fmt: skip
    {"files": files.show, "add": adding.show, "try": trysearch.show}[str(chosen or default)](base)


def _create() -> None:
    embeddings = {}
    with shown_errors():
        embeddings = {each.name: each for each in client().embeddings()}
    default = next((name for name, each in embeddings.items() if each.default), None)
    with st.form("create_base", border=False):
        name = st.text_input(t("knowledge.name"), placeholder=t("knowledge.name_placeholder"), max_chars=100)
        description = st.text_area(
            t("knowledge.description"), placeholder=t("knowledge.description_placeholder"), max_chars=1000, height=90
        )
        embedding = default
        if len(embeddings) > 1:
            names = list(embeddings)
            embedding = st.selectbox(
                t("knowledge.embedding"), names, index=names.index(default) if default else 0,
                help=t("knowledge.embedding_help"),
            )  # fmt: skip
        with st.container(horizontal=True, horizontal_alignment="right"):
            made = st.form_submit_button(t("knowledge.create"), type="primary")
    if made and not name.strip():
        st.error(t("knowledge.name_needed"))
    elif made:
        with shown_errors():
            base = client().create_knowledge_base(name.strip(), description=description.strip(), embedding=embedding)
            st.session_state["go_to_base"] = base.id
            st.rerun()


def _edit(base: KnowledgeBase) -> None:
    with st.form("edit_base", border=False):
        name = st.text_input(t("knowledge.name"), value=base.name, max_chars=100)
        description = st.text_area(t("knowledge.description"), value=base.description, max_chars=1000, height=90)
        with st.container(horizontal=True, horizontal_alignment="right"):
            saved = st.form_submit_button(t("app.save"), type="primary")
    if saved and not name.strip():
        st.error(t("knowledge.name_needed"))
    elif saved:
        with shown_errors():
            client().change_knowledge_base(base.id, name=name.strip(), description=description.strip())
            st.rerun()


def _delete(base: KnowledgeBase) -> None:
    st.write(t("knowledge.delete_explain", name=plain(base.name), documents=base.documents))
    typed = st.text_input(t("knowledge.delete_confirm"), placeholder=base.name)
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(t("app.cancel"), key="delete_base_no"):
            st.rerun()
        sure = st.button(
            t("knowledge.delete"), type="primary", key="delete_base_yes", disabled=typed.strip() != base.name.strip()
        )
    if sure:
        with shown_errors():
            client().delete_knowledge_base(base.id)
            st.session_state.get("jobs", {}).pop(base.id, None)
            st.query_params.clear()
            passage.close()
            st.rerun()
