"""Tools: which toolsets there are, how they are, what each tool takes and changes, and a call to try one."""

import json
from html import escape

import streamlit as st

from devops_chatbot.calls import ToolCall
from devops_chatbot.errors import ChatbotError
from devops_chatbot.tools import ToolInfo, ToolsetInfo
from webui.components.blocks import quiet, state_badge, tag
from webui.components.session import client, plain, show_error, shown_errors, t, told

EXAMPLE = """[tools.prometheus]
url = "http://127.0.0.1:9090"

[tools.alertmanager]
url = "http://127.0.0.1:9093"

[tools.sql.databases.shop]
url = "postgresql+psycopg://reader:…@db.internal/shop"
"""


def show() -> None:
    with st.container(key="page"):
        with st.container(key="page_head", horizontal=True, vertical_alignment="center"):
            st.html(f'<div class="cb-head"><h1>{t("tools.title")}</h1><p>{t("tools.subtitle")}</p></div>')
            st.button(t("status.refresh"), icon=":material/refresh:", key="refresh_tools")
        with shown_errors():
            found = client().tools()
            for toolset in found:
                _show_toolset(toolset)
            if any(toolset.state == "disabled" for toolset in found):
                quiet(t("tools.connect"))
                st.code(EXAMPLE, language="toml")


def _show_toolset(toolset: ToolsetInfo) -> None:
    with st.container(key=f"toolset_{toolset.name}", border=True, gap="small"):
        badge = state_badge(toolset.state, t(f"status.state_{toolset.state}"))
        why = f"<span class='cb-quiet'>{escape(told(toolset.why))}</span>" if toolset.why else ""
        st.html(f'<div class="cb-model"><div><b>{escape(toolset.name)}</b></div><div>{badge}{why}</div></div>')
        for tool in toolset.tools:
            changes = tool.effect != "read"
            mark = f" · {t(f'calls.effect_{tool.effect}')}" if changes else ""
            with st.expander(f"{plain(tool.name)}{mark}"):
                _show_tool(tool, usable=toolset.state != "disabled" and not changes)


def _show_tool(tool: ToolInfo, *, usable: bool) -> None:
    bounds = t("tools.bounds", seconds=f"{tool.timeout_s:g}", count=f"{tool.output_chars:,}")
    st.html(f"<p>{escape(tool.description)}</p><div>{tag(t(f'calls.trust_{tool.trust.value}'))}{tag(bounds)}</div>")
    optional = " · " + t("tools.optional")
    for name, schema in tool.parameters.get("properties", {}).items():
        needed = "" if name in tool.parameters.get("required", ()) else optional
        st.html(
            f"<code>{escape(name)}</code> <span class='cb-quiet'>{escape(schema.get('description', ''))}{needed}</span>"
        )
    if not usable:
        quiet(t("tools.not_tested" if tool.effect != "read" else "tools.disabled"))
        return
    given = st.text_area(t("calls.arguments"), "{}", key=f"given_{tool.name}", height="content")
    if st.button(t("tools.test"), key=f"try_{tool.name}", icon=":material/play_arrow:"):
        _try(tool.name, given)
    tried: ToolCall | None = st.session_state.get(f"tried_{tool.name}")
    if tried is not None:
        words = t("status.test_ok" if tried.state == "done" else "status.test_failed", seconds=f"{tried.seconds:.1f}")
        st.html(state_badge("ready" if tried.state == "done" else "failed", words))
        st.code(tried.text, language=None, wrap_lines=True)


def _try(name: str, given: str) -> None:
    try:
        arguments = json.loads(given or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        st.error(t("calls.no_json"), icon=":material/error:")
        return
    try:
        st.session_state[f"tried_{name}"] = client().test_tool(name, arguments)
    except ChatbotError as error:
        show_error(error)
