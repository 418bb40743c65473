"""Long work on the page: its progress while it runs, and what became of it."""

import time
from html import escape

import streamlit as st

from devops_chatbot.work import Run
from webui.components.blocks import quiet, quietly, state_badge, table
from webui.components.session import client, has_text, plain, shown_errors, t, told
from webui.components.words import ago

EVERY_S = 0.4
HIDDEN = "h"
"""What the ids of knowledge bases begin with that belong to one conversation."""


def follow_run(run_id: str, *, key: str) -> Run | None:
    """Draw a run until it has ended, with a button to cancel it; returns it ended."""
    spot = st.empty()
    cancel = st.empty()
    if cancel.button(t("run.cancel"), key=f"cancel_{key}", type="tertiary", icon=":material/close:"):
        with shown_errors():
            client().cancel_run(run_id)
    while True:
        run = client().run(run_id)
        if run.ended:
            spot.empty()
            cancel.empty()
            return run
        share = run.progress.done / run.progress.total if run.progress.total else 0.0
        spot.progress(min(1.0, share), text=_progress_text(run))
        time.sleep(EVERY_S)


def summary(run: Run) -> str:
    """What became of the documents, in words."""
    counts = run.progress.counts.items()
    words = (t(f"run.{'not_read' if name == 'failed' else name}", count=count) for name, count in counts)
    return " · ".join(words) or t("run.nothing")


def show_result(run: Run) -> None:
    """How a run ended, and which files could not be read and why."""
    words = f"**{t(f'run.{run.state}')}** · {summary(run)}"
    if run.state == "done" and run.progress.errors:
        st.warning(words, icon=":material/warning:")
    elif run.state == "done":
        st.success(words, icon=":material/check_circle:")
    elif run.state == "cancelled":
        st.warning(words, icon=":material/cancel:")
    else:
        st.error(f"{words}  \n{plain(told(run.error))}", icon=":material/error:")
    if run.progress.errors:
        failed = run.progress.counts.get("failed", len(run.progress.errors))
        with st.expander(f"{t('run.errors')} ({failed})", expanded=failed <= 5):
            rows = "".join(
                f"<li><b>{escape(error.what)}</b><span>{escape(told(error.reason))}</span></li>"
                for error in run.progress.errors
            )
            st.html(f'<ul class="cb-errors">{rows}</ul>')


def show_runs(runs: list[Run], names: dict[str, str]) -> None:
    """A table of runs; `names` are those of the knowledge bases."""
    rows = []
    for run in runs:
        name = f"run.kind_{'attach' if run.subject.startswith(HIDDEN) else run.kind}"
        kind = t(name) if has_text(name) else run.kind
        error = f'<div class="cb-bad">{escape(told(run.error))}</div>' if run.error else ""
        rows.append((
            f"<b>{escape(kind)}</b> <span>{escape(names.get(run.subject, ''))}</span>"
            f"{quietly(summary(run) if run.ended else _progress_text(run))}{error}",
            state_badge(run.state, t(f"run.state_{run.state}")),
            quietly(ago(run.created_at)),
        ))  # fmt: skip
    if rows:
        st.html(table("runs", rows))
    else:
        quiet(t("run.none"))


def _progress_text(run: Run) -> str:
    if run.state == "queued":
        return t("run.queued")
    if not run.progress.total:
        return t("run.counting")
    return t("run.running", done=run.progress.done, total=run.progress.total)
