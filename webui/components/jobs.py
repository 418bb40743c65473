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


def follow_job(job_id: str, *, key: str) -> Run | None:
    """Draw a job until it has ended, with a button to cancel it; returns it ended."""
    spot = st.empty()
    cancel = st.empty()
    if cancel.button(t("job.cancel"), key=f"cancel_{key}", type="tertiary", icon=":material/close:"):
        with shown_errors():
            client().cancel_run(job_id)
    while True:
        job = client().run(job_id)
        if job.ended:
            spot.empty()
            cancel.empty()
            return job
        share = job.progress.done / job.progress.total if job.progress.total else 0.0
        spot.progress(min(1.0, share), text=_progress_text(job))
        time.sleep(EVERY_S)


def summary(job: Run) -> str:
    """What became of the documents, in words."""
    counts = job.progress.counts.items()
    words = (t(f"job.{'not_read' if name == 'failed' else name}", count=count) for name, count in counts)
    return " · ".join(words) or t("job.nothing")


def show_result(job: Run) -> None:
    """How a job ended, and which files could not be read and why."""
    words = f"**{t(f'job.{job.state}')}** · {summary(job)}"
    if job.state == "done" and job.progress.errors:
        st.warning(words, icon=":material/warning:")
    elif job.state == "done":
        st.success(words, icon=":material/check_circle:")
    elif job.state == "cancelled":
        st.warning(words, icon=":material/cancel:")
    else:
        st.error(f"{words}  \n{plain(told(job.error))}", icon=":material/error:")
    if job.progress.errors:
        failed = job.progress.counts.get("failed", len(job.progress.errors))
        with st.expander(f"{t('job.errors')} ({failed})", expanded=failed <= 5):
            rows = "".join(
                f"<li><b>{escape(error.what)}</b><span>{escape(told(error.reason))}</span></li>"
                for error in job.progress.errors
            )
            st.html(f'<ul class="cb-errors">{rows}</ul>')


def show_jobs(jobs: list[Run], names: dict[str, str]) -> None:
    """A table of jobs; `names` are those of the knowledge bases."""
    rows = []
    for job in jobs:
        name = f"job.kind_{'attach' if job.subject.startswith(HIDDEN) else job.kind}"
        kind = t(name) if has_text(name) else job.kind
        error = f'<div class="cb-bad">{escape(told(job.error))}</div>' if job.error else ""
        rows.append((
            f"<b>{escape(kind)}</b> <span>{escape(names.get(job.subject, ''))}</span>"
            f"{quietly(summary(job) if job.ended else _progress_text(job))}{error}",
            state_badge(job.state, t(f"job.state_{job.state}")),
            quietly(ago(job.created_at)),
        ))  # fmt: skip
    if rows:
        st.html(table("jobs", rows))
    else:
        quiet(t("job.none"))


def _progress_text(job: Run) -> str:
    if job.state == "queued":
        return t("job.queued")
    if not job.progress.total:
        return t("job.counting")
    return t("job.running", done=job.progress.done, total=job.progress.total)
