"""The files of a run, and what became of each: written in the transaction that changes the document, so that a run
which was killed takes up exactly where it was.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Literal, get_args

from sqlalchemy import Connection, Engine, delete, exists, func, insert, or_, select, update

from devops_chatbot.db.transactions import reading, writing
from devops_chatbot.i18n import Reason
from devops_chatbot.work import Progress, RunError
from knowledge.catalog import tables
from knowledge.catalog.blobs import content_of
from knowledge.model import document_id

Outcome = Literal["added", "changed", "unchanged", "removed", "failed"]

AT_ONCE = 400
MOST_ERRORS = 1000
"""Failures shown with a run; the others are in the file table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file to take in. `mtime_ns` is 0 where it means nothing (uploads); `anew`: even when it did not change.

    A `reason` says that the file was refused before anybody could read it.
    """

    source_uri: str
    path: str
    size: int = 0
    mtime_ns: int = 0
    source: str = ""
    anew: bool = False
    reason: Reason | None = None
    position: int = 0


_FIELDS = tuple(field.name for field in fields(Item))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of an item. `data` is the original of one that failed, where it could be read; `emptied`: what was known of
    it is gone.
    """

    item: Item
    outcome: Outcome
    reason: Reason | None = None
    data: bytes = b""
    emptied: bool = False


def plan(engine: Engine, run: str, knowledge_base: str, files: Iterable[Item]) -> None:
    """Write down the files of a run, in place of what was written for it before; of one URI the last file counts.

    New documents appear in the file table as waiting. Uses the same memory for any number of files.
    """
    with writing(engine) as connection:
        connection.execute(delete(tables.items).where(tables.items.c.run == run))
    position = 0
    rest = iter(files)
    while part := list(islice(rest, AT_ONCE)):
        latest = {item.source_uri: item for item in part}
        with writing(engine) as connection:
            known = tables.items.c
            connection.execute(delete(tables.items).where(known.run == run, known.source_uri.in_(latest)))
            rows = [_item_row(run, number, item) for number, item in enumerate(latest.values(), position)]
            connection.execute(insert(tables.items), rows)
            _announce(connection, knowledge_base, list(latest.values()))
        position += len(latest)


def settle_unchanged(engine: Engine, run: str, knowledge_base: str, shapes: Mapping[str, str]) -> None:
    """Without reading them: files of the same size and time as when their document was read with these settings (by loader)."""
    item, document = tables.items.c, tables.documents.c
    same = exists().where(
        document.knowledge_base == knowledge_base,
        document.source_uri == item.source_uri,
        document.state == "ready",
        or_(*((document.loader == loader) & (document.shape == shape) for loader, shape in shapes.items())),
        document.source == item.source,
        document.bytes == item.size,
        document.mtime_ns == item.mtime_ns,
    )
    todo = (item.run == run) & item.outcome.is_(None) & (item.mtime_ns != 0) & item.anew.is_(False)
    with writing(engine) as connection:
        connection.execute(update(tables.items).where(todo, same).values(outcome="unchanged"))


def todo(engine: Engine, run: str, limit: int) -> list[Item]:
    """The next files without an outcome, the small ones first: a huge log must not keep a hundred pages waiting."""
    item = tables.items.c
    undone = select(*(item[name] for name in _FIELDS)).where(item.run == run, item.outcome.is_(None))
    with reading(engine) as connection:
        rows = connection.execute(undone.order_by(item.size, item.position).limit(limit)).mappings()
        return [Item(**row) for row in rows]


def settle(connection: Connection, run: str, knowledge_base: str, results: Sequence[Result]) -> None:
    """Write down what became of files; a failure is shown in the file table too, beside the version that stays."""
    for result in results:
        key = (tables.items.c.run == run) & (tables.items.c.position == result.item.position)
        connection.execute(update(tables.items).where(key).values(outcome=result.outcome, reason=result.reason))
        found = tables.documents.c.id == document_id(knowledge_base, result.item.source_uri)
        if result.outcome == "unchanged":
            row: dict[str, object] = {
                "mtime_ns": result.item.mtime_ns,
                "state": "ready",
                "error": None,
                "source": result.item.source,
            }
            connection.execute(update(tables.documents).where(found).values(row))
        elif result.outcome == "failed":
            failure: dict[str, object] = {"state": "failed", "error": result.reason, "updated_at": time.time()}
            connection.execute(update(tables.documents).where(found).values(failure))
            first = found & (tables.documents.c.version == "")
            original = {"content": content_of(result.data) if result.data else "", "bytes": result.item.size}
            connection.execute(update(tables.documents).where(first).values(original))


def gone(engine: Engine, run: str, knowledge_base: str, source: str, limit: int) -> list[str]:
    """Ids of documents of a source that the run did not find. What lies below a folder that could not be read (its URI
    ends in a slash) was not looked for.
    """
    item, document = tables.items.c, tables.documents.c
    listed = exists().where(item.run == run, item.source_uri == document.source_uri)
    folder = (item.run == run) & (item.outcome == "failed") & item.source_uri.endswith("/")
    hidden = exists().where(
        folder, func.substr(document.source_uri, 1, func.length(item.source_uri)) == item.source_uri
    )
    of_folder = (document.knowledge_base == knowledge_base) & (document.source == source)
    statement = select(document.id).where(of_folder, ~listed, ~hidden)
    with reading(engine) as connection:
        return list(connection.execute(statement.limit(limit)).scalars())


def count_removed(connection: Connection, run: str, documents: Sequence[str]) -> None:
    """Write down documents that a run removed."""
    last = connection.execute(select(func.max(tables.items.c.position)).where(tables.items.c.run == run)).scalar()
    first = 0 if last is None else last + 1
    rows = [
        {**_item_row(run, number, Item(source_uri=f"//removed/{document}", path="")), "outcome": "removed"}
        for number, document in enumerate(documents, first)
    ]
    if rows:
        connection.execute(insert(tables.items), rows)


def abandon(engine: Engine, run: str, knowledge_base: str, reason: Reason | None) -> None:
    """What a run that stops early leaves undone: documents that were never read fail with `reason`, or, without one,
    leave the file table; the others are as they were.
    """
    document = tables.documents.c
    item = tables.items.c
    undone = select(item.source_uri).where(item.run == run, item.outcome.is_(None))
    of_run = (document.knowledge_base == knowledge_base) & document.source_uri.in_(undone)
    with writing(engine) as connection:
        never = of_run & (document.version == "") & document.state.in_(("waiting", "indexing"))
        if reason is None:
            connection.execute(delete(tables.documents).where(never))
        else:
            values = {"state": "failed", "error": reason, "updated_at": time.time()}
            connection.execute(update(tables.documents).where(never).values(values))
        before = of_run & document.state.in_(("waiting", "indexing"))
        connection.execute(update(tables.documents).where(before).values(state="ready"))


def progress(engine: Engine, run: str) -> Progress:
    """How far a run is; the count of `removed` is of documents, not files."""
    item = tables.items.c
    by_outcome = select(item.outcome, func.count()).where(item.run == run).group_by(item.outcome)
    failures = select(item.source_uri, item.reason).where(item.run == run, item.outcome == "failed")
    with reading(engine) as connection:
        found: dict[str | None, int] = dict(connection.execute(by_outcome).all())
        errors = connection.execute(failures.order_by(item.position).limit(MOST_ERRORS)).all()
    total = sum(found.values()) - found.get("removed", 0)
    return Progress(
        done=total - found.get(None, 0),
        total=total,
        counts={outcome: found[outcome] for outcome in get_args(Outcome) if outcome in found},
        errors=tuple(RunError(what=row.source_uri, reason=row.reason) for row in errors if row.reason),
    )


def forget(engine: Engine, run: str) -> None:
    """Drop the files of a run that ended."""
    with writing(engine) as connection:
        connection.execute(delete(tables.items).where(tables.items.c.run == run))


def _announce(connection: Connection, knowledge_base: str, files: Sequence[Item]) -> None:
    """Rows in the file table for documents that are new."""
    ids = {document_id(knowledge_base, item.source_uri): item for item in files}
    known = set(connection.execute(select(tables.documents.c.id).where(tables.documents.c.id.in_(ids))).scalars())
    now = time.time()
    rows = [
        {
            "id": document,
            "knowledge_base": knowledge_base,
            "source_uri": item.source_uri,
            "title": "",
            "state": "waiting",
            "loader": "",
            "splitter": "",
            "version": "",
            "generation": 0,
            "shape": "",
            "content": "",
            "bytes": item.size,
            "mtime_ns": 0,
            "chunks": 0,
            "error": None,
            "notes": (),
            "source": item.source,
            "updated_at": now,
        }
        for document, item in ids.items()
        if document not in known
    ]
    if rows:
        connection.execute(insert(tables.documents), rows)


def _item_row(run: str, position: int, item: Item) -> dict[str, object]:
    return {name: getattr(item, name) for name in _FIELDS} | {"run": run, "position": position, "outcome": None}
