"""Every setting in force, and where it comes from."""

from html import escape

import streamlit as st

from webui.components.blocks import quiet, quietly, table, tag
from webui.components.session import client, t


def show() -> None:
    in_force = client().settings()
    quiet(t("status.settings_file", file=in_force.file) if in_force.file else t("status.no_settings_file"))
    with st.container(horizontal=True, vertical_alignment="center"):
        text = st.text_input(
            t("status.filter"), placeholder=t("status.filter"), label_visibility="collapsed", icon=":material/search:",
            key="setting_text",
        ).strip()  # fmt: skip
        changed = st.toggle(t("status.only_changed"), key="setting_changed")
    rows = [
        (
            f"<code>{escape(setting.key)}</code>{quietly(setting.description)}",
            f"<code>{escape(setting.value)}</code>"
            if setting.value
            else f'<span class="cb-quiet">{escape(t("status.empty"))}</span>',
            tag(t(f"status.origin_{setting.origin}"), f"origin-{setting.origin}"),
        )
        for setting in in_force.settings
        if text.lower() in f"{setting.key} {setting.value} {setting.description}".lower()
        and (not changed or setting.origin != "default")
    ]
    if rows:
        st.html(table("settings", rows, [t(f"status.{name}") for name in ("setting", "value", "origin")]))
    else:
        quiet(t("status.no_match"), empty=True)
