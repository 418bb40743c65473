"""The commands of knowledge bases."""

import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from devops_chatbot.chat import SearchMode
from devops_chatbot.cli.connection import Link
from devops_chatbot.cli.output import note, print_json, print_json_rows, print_table, said
from devops_chatbot.cli.stdin import given_text
from devops_chatbot.client.client import Client, Upload
from devops_chatbot.errors import BadRequest, NotFound
from devops_chatbot.work import Run
from knowledge.model import DocumentState

app = typer.Typer(help="Knowledge bases.", no_args_is_help=True, rich_markup_mode=None)

Json = Annotated[bool, typer.Option("--json", help="Print what the route returned.")]
Name = Annotated[str, typer.Argument(help="The name or id of a knowledge base.", metavar="NAME")]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Unique; in any language.")],
    description: Annotated[str, typer.Option(help="What is in it.")] = "",
    embedding: Annotated[str | None, typer.Option(help="An embedding model's name.", metavar="NAME")] = None,
    as_json: Json = False,
) -> None:
    """Make an empty knowledge base."""
    with _client(context) as client:
        made = client.create_knowledge_base(name, description=description, embedding=embedding)
    if as_json:
        print_json(made)
    else:
        print(f"{made.name} ({made.id}). Fill it with: devops-chatbot kb add {made.name!r} PATH")


@app.command("list")
def list_knowledge_bases(context: typer.Context, as_json: Json = False) -> None:
    """Every knowledge base."""
    with _client(context) as client:
        found = client.knowledge_bases()
    if as_json:
        print_json_rows(found)
        return
    print_table(
        ("name", "id", "documents", "chunks", "bytes", "embedding", "description"),
        [(row.name, row.id, row.documents, row.chunks, row.bytes, row.embedding, row.description) for row in found],
    )


@app.command()
def add(
    context: typer.Context,
    name: Name,
    paths: Annotated[list[Path], typer.Argument(help="Files, archives (zip, tar) and folders.", metavar="PATH...")],
    follow: Annotated[
        bool, typer.Option("--follow", help="Let the server follow one folder of its own machine; again: sync it.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the work is done.")] = True,
    as_json: Json = False,
) -> int:
    """Take in files. An unchanged file costs nothing, a changed one replaces the earlier one."""
    with _client(context) as client:
        if follow:
            if len(paths) != 1:
                raise BadRequest("cli.follow_one")
            run = client.follow(name, str(Path.cwd() / paths[0].expanduser()))  # a link stays one
        else:
            client.knowledge_base(name)  # a wrong name should not cost an upload
            files = [file for path in paths for file in _files(path)]
            if not files:
                raise BadRequest("cli.only_hidden")
            run = client.upload(name, files)
        if wait:
            run = _watch(client, run)
    return _report(run, as_json=as_json)


@app.command()
def sample(context: typer.Context, as_json: Json = False) -> int:
    """Build the sample knowledge base: the product's guide and a few real runbooks."""
    with _client(context) as client:
        run = _watch(client, client.build_samples())
    return _report(run, as_json=as_json)


@app.command()
def documents(
    context: typer.Context,
    name: Name,
    state: Annotated[DocumentState | None, typer.Option(help="Only those in this state.")] = None,
    text: Annotated[str | None, typer.Option(help="Only those with this in their address or title.")] = None,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
    as_json: Json = False,
) -> None:
    """The file table."""
    with _client(context) as client:
        found = client.documents(name, state=state, text=text, offset=offset, limit=limit)
    if as_json:
        print_json_rows(found.items, found.total)
        return
    print_table(
        ("document", "state", "chunks", "bytes", "id", "error or note"),
        [
            (row.source_uri, row.state, row.chunks, row.bytes, row.id, said(row.error or (row.notes or (None,))[0]))
            for row in found.items
        ],
    )
    if found.total > len(found.items):
        note(f"{len(found.items)} of {found.total}; see --offset and --limit")


@app.command()
def search(
    context: typer.Context,
    name: Name,
    query: str,
    mode: Annotated[SearchMode, typer.Option(help="Which index to ask.")] = "hybrid",
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    threshold: Annotated[float, typer.Option(help="Leave out hits with a lower score.", min=0, max=1)] = 0.0,
    as_json: Json = False,
) -> None:
    """Search without an answer; shows which index found each hit at which rank."""
    with _client(context) as client:
        found = client.search(
            given_text(query),
            knowledge_bases=[name],
            mode=mode,
            limit=limit,
            score_threshold=threshold,
        )
    if as_json:
        print_json(found)
        return
    print_table(
        ("score", "document", "passage", "found by"),
        [
            (
                hit.score,
                f"{hit.source_uri}\n{' > '.join(hit.heading_path)}".strip(),
                " ".join(hit.text.split())[:240],
                ", ".join(f"{by.index} {by.rank}" for by in hit.found_by),
            )
            for hit in found.hits
        ],
    )
    note(f"{len(found.hits)} hits in {found.seconds * 1000:.0f} ms")


@app.command()
def remove(context: typer.Context, name: Name, document_ids: list[str]) -> None:
    """Remove documents, by id, from every index."""
    with _client(context) as client:
        for document_id in document_ids:
            client.document(name, document_id)  # a wrong id removes nothing, and should say so
        client.delete_documents(name, document_ids)
    note(f"{len(document_ids)} removed.")


@app.command()
def rename(
    context: typer.Context,
    name: Name,
    new_name: Annotated[str | None, typer.Argument(help="Its new name.")] = None,
    description: Annotated[str | None, typer.Option(help="Its new description.")] = None,
    as_json: Json = False,
) -> None:
    """Rename or describe a knowledge base."""
    with _client(context) as client:
        changed = client.change_knowledge_base(name, name=new_name, description=description)
    if as_json:
        print_json(changed)


@app.command()
def reembed(
    context: typer.Context,
    name: Name,
    embedding: Annotated[str, typer.Argument(help="An embedding model's name.", metavar="MODEL")] = "bundled",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the work is done.")] = True,
    as_json: Json = False,
) -> int:
    """Give a knowledge base another embedding model; its documents are read anew."""
    with _client(context) as client:
        run = client.reembed(name, embedding)
        if wait:
            run = _watch(client, run)
    return _report(run, as_json=as_json)


@app.command()
def delete(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove a knowledge base with all its documents."""
    with _client(context) as client:
        found = client.knowledge_base(name)
        if not yes:
            if not sys.stdin.isatty():
                raise BadRequest("cli.nobody_confirms")
            typer.confirm(f"Remove {found.name!r} with {found.documents} documents?", abort=True)
        client.delete_knowledge_base(found.id)


def _client(context: typer.Context) -> AbstractContextManager[Client]:
    link: Link = context.obj
    return link.client()


def _files(path: Path) -> list[Upload]:
    from knowledge.sources.folder import files_below

    if path.is_dir():
        folder = _given(path).lstrip(".") or "files"
        return [(f"{folder}/{file.uri}", file.path) for file in files_below(path.resolve())]
    if not path.is_file():
        raise NotFound("cli.no_path", path=path)
    return [path]


def _given(path: Path) -> str:
    """The path as the person gave it, which is what its documents are called: two folders of one name are two.

    What stands in front of a folder that would be left out (a hidden one) is no part of it.
    """
    from knowledge.sources.folder import SKIPPED

    parts = [part for part in path.parts if part not in (path.anchor, "..")] or [path.resolve().name]
    hidden = [at for at, part in enumerate(parts[:-1], 1) if part.startswith(".") or part in SKIPPED]
    return "/".join(parts[hidden[-1] if hidden else 0 :])


def _watch(client: Client, run: Run) -> Run:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("documents", total=run.progress.total)
        for now in client.run_events(run.id):
            run = now
            bar.update(task, total=run.progress.total, completed=run.progress.done)
    return run


def _report(run: Run, *, as_json: bool) -> int:
    """Prints what became of a run; 1 when it failed or took in nothing of what it was given."""
    counts = run.progress.counts
    if as_json:
        print_json(run)
    else:
        if run.progress.errors:
            print_table(("not taken in", "why"), [(row.what, said(row.reason)) for row in run.progress.errors])
        words = ", ".join(f"{count} {what}" for what, count in counts.items()) or "nothing to do"
        print(f"Run {run.id} {run.state}: {words}." + (f" {said(run.error)}" if run.error else ""))
    nothing = not counts.keys() - {"failed", "removed"} and "failed" in counts
    return 1 if run.state in ("failed", "cancelled") or nothing else 0
