"""What a run of code gave, drawn: its end, its output, figures, tables, files. Nothing of it is obeyed by the page."""

import base64
import csv
import io
import json
from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TypedDict

import streamlit as st

from devops_chatbot.code import CodeRun, RunArtifact
from devops_chatbot.errors import ChatbotError
from sandbox.model import OutputChunk
from webui.chat.liverun import RunView
from webui.components.session import client, plain, t, told
from webui.components.words import size

SHOWN_ROWS = 200
LONGEST_SVG = 300_000
CACHED = 48
TABLE = "application/vnd.devops-chatbot.table+json"


class _Table(TypedDict):
    columns: list[object]
    index: list[object]
    rows: list[list[object]]
    total_rows: int
    total_columns: int


def show(run: CodeRun, *, thread: str) -> None:
    """How it ended, what it said, what it made."""
    if run.timed_out:
        state, words = "failed", t("code.timed_out")
    elif run.interrupted:
        state, words = "cancelled", t("code.stopped")
    elif run.exit_code:
        state, words = "failed", t("code.failed", code=run.exit_code)
    else:
        state, words = "done", t("code.done")
    seconds = t("chat.seconds", seconds=f"{run.seconds:.1f}" if run.seconds >= 0.1 else "<0.1")
    said = (OutputChunk(stream="stdout", text=run.stdout), OutputChunk(stream="stderr", text=run.stderr))
    notes = [t("code.truncated")] if run.truncated else []
    if run.why:
        notes.append(told(run.why))
    elif not (run.stdout or run.stderr or run.artifacts):
        notes.append(t("code.silent"))
    st.html(
        f'<div class="cb-run-head"><span class="cb-state cb-{state}">{escape(words)}</span><i>{escape(seconds)}</i></div>'
        + "".join(_output([each]) for each in said if each.text)
        + "".join(f'<div class="cb-run-note">{escape(note)}</div>' for note in notes)
    )
    for artifact in _pictures(run.artifacts):
        # As the source of an `img`, where a browser runs no script and fetches nothing, whatever the file holds.
        if (data := _fetched(run, artifact, thread)) is not None:
            source = f"data:{artifact.mime};base64,{base64.b64encode(data).decode()}"
            st.html(f'<figure class="cb-figure"><img alt="{escape(artifact.name)}" src="{source}"></figure>')
    for artifact in run.artifacts:
        if artifact.kind == "table" and artifact.kept and (data := _fetched(run, artifact, thread)) is not None:
            _table(json.loads(data))
    if run.artifacts:
        _downloads(run, thread)


def live(view: RunView) -> str:
    """A run on its way."""
    words = t("code.stopping") if view.stopping else t("code.running")
    clock = f"<i>{escape(t('chat.seconds', seconds=f'{view.seconds:.0f}'))}</i>" if view.seconds >= 1 else ""
    head = f'<div class="cb-run-head" role="status"><span class="cb-dots"></span><b>{escape(words)}</b>{clock}</div>'
    return head + (_output(view.said) if view.said else "")


def failed(error: ChatbotError) -> str:
    """A run that could not even begin, or broke off."""
    return (
        f'<div class="cb-run-head"><span class="cb-state cb-failed">{escape(t("code.not_run"))}</span></div>'
        f'<div class="cb-run-note cb-bad">{escape(told(error.reason))}</div>'
    )


def _output(said: Sequence[OutputChunk]) -> str:
    spans = "".join(f'<span class="cb-{each.stream}">{escape(each.text)}</span>' for each in said)
    return f'<pre class="cb-out">{spans}</pre>'


def _pictures(artifacts: Sequence[RunArtifact]) -> list[RunArtifact]:
    """One form of each figure: as SVG where that is small, else as PNG."""
    chosen: dict[str, RunArtifact] = {}
    for each in artifacts:
        if each.kind != "figure" or not each.kept or each.mime not in ("image/png", "image/svg+xml"):
            continue
        name = each.name.rpartition(".")[0] or each.name
        if name not in chosen or (each.mime == "image/svg+xml" and each.size <= LONGEST_SVG):
            chosen[name] = each
    return list(chosen.values())


def _table(table: _Table) -> None:
    numeric = [all(_is_number(row[at]) for row in table["rows"]) for at in range(len(table["columns"]))]
    head = "<th></th>" + "".join(
        f"<th{' class=cb-figures' if right else ''}>{escape(str(name))}</th>"
        for name, right in zip(table["columns"], numeric, strict=True)
    )
    rows = "".join(
        f"<tr><th>{escape(str(label))}</th>{''.join(map(_cell, row))}</tr>"
        for label, row in zip(table["index"][:SHOWN_ROWS], table["rows"][:SHOWN_ROWS], strict=False)
    )
    shown = min(SHOWN_ROWS, len(table["rows"]))
    counted = t("code.table_size", rows=f"{table['total_rows']:,}", columns=table["total_columns"])
    if shown < table["total_rows"]:
        counted += " · " + t("code.table_part", count=shown)
    st.html(
        f'<div class="cb-data"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="cb-quiet cb-data-size">{escape(counted)}</p>'
    )


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _cell(value: object) -> str:
    if value is None:
        return '<td class="cb-none">–</td>'
    if not _is_number(value):
        return f"<td>{escape(str(value))}</td>"
    return f'<td class="cb-figures">{escape(f"{value:.6g}" if isinstance(value, float) else str(value))}</td>'


def _downloads(run: CodeRun, thread: str) -> None:
    with st.container(key=f"made_{run.id}", horizontal=True, gap="small"):
        for artifact in run.artifacts:
            name = artifact.name.removesuffix(".json") + ".csv" if artifact.mime == TABLE else artifact.name
            if not artifact.kept:
                words = " · ".join((name, size(artifact.size), t("code.not_kept_short")))
                st.html(
                    f'<span class="cb-tag" title="{escape(t("code.not_kept"))}">{escape(words)}</span>', width="content"
                )
                continue
            st.download_button(
                f"{plain(name)} · {size(artifact.size)}" if artifact.mime != TABLE else plain(name),
                partial(_download, run.id, artifact.number, artifact.mime, thread),
                name.rpartition("/")[2], "application/octet-stream", key=f"get_{run.id}_{artifact.number}",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip


def _fetched(run: CodeRun, artifact: RunArtifact, thread: str) -> bytes | None:
    try:
        return _bytes(thread, run.id, artifact.number)
    except ChatbotError as error:
        st.html(f'<div class="cb-run-note cb-bad">{escape(artifact.name)}: {escape(told(error.reason))}</div>')
        return None


@st.cache_data(show_spinner=False, max_entries=CACHED)
def _bytes(thread: str, run: str, number: int) -> bytes:
    return client().bench.artifact(thread, run, number).data


def _download(run: str, number: int, mime: str, thread: str) -> bytes:
    """A file as it is; a table as CSV with a byte order mark, so that spreadsheets read Chinese."""
    data = _bytes(thread, run, number)
    if mime != TABLE:
        return data
    table: _Table = json.loads(data)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["", *table["columns"]])
    writer.writerows([label, *row] for label, row in zip(table["index"], table["rows"], strict=True))
    return text.getvalue().encode("utf-8-sig")
