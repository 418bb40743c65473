"""A conversation as a zip archive: its words as Markdown, with what its code gave, and every file of it."""

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from devops_chatbot.chat import Citation, Location, Message, Thread
from devops_chatbot.code import CodeRun
from devops_chatbot.conversations.code_sessions import Workbench
from knowledge.text.markdown import fence_around

PAGE = "conversation.md"
_SPOKEN = {"user": "Question", "assistant": "Answer"}


def write_archive(thread: Thread, bench: Workbench, target: Path) -> None:
    """Write the archive to `target`. What goes from the conversation meanwhile is left out."""
    runs = bench.runs.list(thread.id)
    attached = bench.attachments.list(thread.id)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(PAGE, "\n".join(_page(thread, runs, [each.name for each in attached])))
        for number, run in enumerate(runs, start=1):
            for artifact in run.artifacts:
                if artifact.kept:
                    _, path = bench.runs.artifact(thread.id, run.id, artifact.number)
                    archive.write(path, _place(number, artifact.name))
        for each in attached:
            archive.write(bench.attachments.get(thread.id, each.id)[1], f"attachments/{_safe(each.name)}")


def _page(thread: Thread, runs: Sequence[CodeRun], attached: Sequence[str]) -> Iterator[str]:
    yield f"# {thread.title or 'Conversation'}\n"
    yield f"{thread.created_at:%Y-%m-%d %H:%M} UTC\n"
    if attached:
        yield "Attached: " + ", ".join(f"`attachments/{_safe(name)}`" for name in attached) + "\n"
    for message in thread.messages:
        yield f"## {_SPOKEN[message.role]}\n"
        yield f"{message.text}\n"
        yield from _sources(message)
        for number, run in enumerate(runs, start=1):
            if run.message == message.id:
                yield from _outcome(number, run)


def _sources(message: Message) -> Iterator[str]:
    for citation in message.citations:
        title = " › ".join(dict.fromkeys((citation.title, *citation.heading_path)))
        yield f"- [{citation.number}] {title} (`{_where(citation)}`)"
    if message.citations:
        yield ""


def _where(citation: Citation) -> str:
    at: Location = citation.location
    if at.page:
        return f"{citation.source_uri}, page {at.page}"
    lines = f":{at.line_start}-{at.line_end}" if at.line_start else ""
    return f"{citation.source_uri or citation.ref}{lines}"


def _outcome(number: int, run: CodeRun) -> Iterator[str]:
    end = "stopped" if run.interrupted else "out of time" if run.timed_out else f"exit code {run.exit_code}"
    yield f"### Run {number}: code block {run.block + 1} ({run.language}), {end}, {run.seconds:.1f} s\n"
    yield _fenced(run.code, run.language)
    for text in (run.stdout, run.stderr, str(run.why or "")):
        if text:
            yield _fenced(text.rstrip("\n"), "text")
    for artifact in run.artifacts:
        place = _place(number, artifact.name)
        if not artifact.kept:
            yield f"- {artifact.name}: too large to be kept"
        elif artifact.mime == "image/png":
            yield f"![{artifact.name}](<{place}>)"
        else:
            yield f"- [{artifact.name}](<{place}>)"
    yield ""


def _fenced(text: str, label: str) -> str:
    fence = fence_around(text)
    return f"{fence}{label}\n{text}\n{fence}\n"


def _place(run: int, name: str) -> str:
    return f"runs/{run}/{'/'.join(_safe(part) for part in name.split('/'))}"


def _safe(name: str) -> str:
    """A name that unpacks on every system, and nowhere else than below its folder."""
    return "".join("_" if each < " " or each in '<>:"\\|?*/' else each for each in name).strip(". ") or "_"
