"""A search without an answer: what is found, how well it fits, and which index found it."""

from html import escape

import streamlit as st

from knowledge.model import Hit, KnowledgeBase
from webui.components import passage
from webui.components.blocks import quiet, tag
from webui.components.markup import snippet_html
from webui.components.session import client, plain, shown_errors, t
from webui.components.words import MODES


def show(base: KnowledgeBase) -> None:
    quiet(t("search.explain"))
    with (
        st.form("try_search", border=False),
        st.container(key="search_line", horizontal=True, vertical_alignment="bottom"),
    ):
        query = st.text_input(
            t("search.button"), placeholder=t("search.placeholder"), label_visibility="collapsed", key="search_text"
        ).strip()
        searched = st.form_submit_button(t("search.button"), type="primary", icon=":material/search:")
    with st.container(key="search_choices", horizontal=True, vertical_alignment="top", gap="large"):
        mode = st.segmented_control(
            t("search.mode"), MODES, default="hybrid", required=True, format_func=lambda name: t(f"mode.{name}")
        )
        limit = st.slider(t("search.limit"), 1, 50, 10, width=170)
        threshold = st.slider(t("search.threshold"), 0.0, 1.0, 0.0, 0.05, width=170)
    if searched:
        st.session_state["searched"] = query
    if not st.session_state.get("searched"):
        return
    result = None
    with shown_errors(), st.spinner(t("search.running")):
        result = client().search(
            str(st.session_state["searched"]),
            knowledge_bases=[base.id],
            mode=mode or "hybrid",
            limit=limit,
            score_threshold=threshold,
        )
    if result is not None and not result.hits:
        quiet(t("search.none"), empty=True)
    elif result is not None:
        words = t("search.results", count=len(result.hits), ms=max(1, round(result.seconds * 1000)))
        st.html(f'<div class="cb-age">{escape(words)}</div>')
        for number, hit in enumerate(result.hits, start=1):
            _show_hit(number, hit)


def _show_hit(number: int, hit: Hit) -> None:
    name, *headings = passage.trail(hit.title or hit.source_uri, hit.heading_path)
    where = " · ".join(part for part in (hit.source_uri, passage.place(hit.location)) if part)
    found = "".join(tag(f"{t(f'mode.{each.index}')} #{each.rank}", each.index) for each in hit.found_by)
    with st.container(key=f"hit_{number}", border=True, gap="small"):
        with st.container(key=f"hit_head_{number}", horizontal=True, vertical_alignment="center", wrap=False):
            st.button(
                f"**{number}** {plain(' › '.join((name, *headings)))}",
                type="tertiary",
                key=f"open_hit_{number}",
                help=t("search.open"),
                on_click=passage.open_passage,
                args=(hit.ref, hit.text),
                kwargs={"heading_path": hit.heading_path, "token": hit.ref},
            )
            st.html(
                f'<div class="cb-score" title="{hit.score:.3f}"><i style="width:{hit.score:.0%}"></i></div>'
                f'<span class="cb-quiet">{hit.score:.2f}</span>'
            )
        snippet = snippet_html(hit.text, hit.source_uri)
        st.html(f"{snippet}<div class='cb-found'><span class='cb-quiet'>{escape(where)}</span>{found}</div>")
