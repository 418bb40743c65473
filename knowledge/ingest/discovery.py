"""Which files a run is about: an upload with its archives unpacked, a source, or documents to be read anew."""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine, select

from devops_chatbot.db.transactions import reading
from devops_chatbot.errors import BadRequest, NotFound
from devops_chatbot.i18n import Reason
from knowledge.catalog import tables
from knowledge.catalog.blobs import Originals
from knowledge.ingest.run_items import Item
from knowledge.model import Source
from knowledge.sources import SourceKind
from knowledge.sources.archives import ArchiveLimits, is_archive, unpack
from knowledge.sources.folder import files_below, passed_over

AT_ONCE = 500
UNPACKED = ".unpacked"
"""Where the archives of an upload are unpacked: a hidden folder in its own, and so no part of the upload."""
LEFT_BY_MACOS = (".DS_Store", "._")


def files_of_upload(staged: Path, limits: ArchiveLimits) -> Iterator[Item]:
    """The files below `staged`; an archive counts as a folder of its name. What an archive is refused for is an item
    with a reason.
    """
    unpacked = staged / UNPACKED
    shutil.rmtree(unpacked, ignore_errors=True)  # of a run that was killed
    for uri, size in _hidden(staged):
        yield Item(source_uri=uri, path="", size=size, reason=Reason("document.hidden"))
    for number, file in enumerate(files_below(staged)):
        if not is_archive(file.uri):
            if "/" not in file.uri or not passed_over(file):
                yield Item(source_uri=file.uri, path=str(file.path), size=file.size)
            continue
        into = unpacked / str(number)
        into.mkdir(parents=True)
        try:
            refused = unpack(file.path, into, limits).refused
        except BadRequest as error:
            yield Item(source_uri=file.uri, path="", size=file.size, reason=error.reason)
            continue
        prefix = f"{_stem(file.uri)}/"
        for member in refused:
            yield Item(source_uri=f"{prefix}{member.name.lstrip('/')}", path="", reason=member.reason)
        for inner in files_below(into, uri_prefix=prefix):
            if is_archive(inner.uri):
                yield Item(source_uri=inner.uri, path="", size=inner.size, reason=Reason("document.nested_archive"))
            elif not passed_over(inner):
                yield Item(source_uri=inner.uri, path=str(inner.path), size=inner.size)


def _hidden(staged: Path) -> Iterator[tuple[str, int]]:
    """(URI, size) of the files whose own name hides them: somebody chose them, and should hear why they are not taken."""
    for folder, folders, names in os.walk(staged):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") and not name.startswith(LEFT_BY_MACOS):
                path = Path(folder, name)
                yield path.relative_to(staged).as_posix(), path.stat().st_size


def files_of_source(source: Source, kind: SourceKind) -> Iterator[Item]:
    """The documents of a source. Raises `NotFound` when it is not there, so that nothing is taken for deleted."""
    for document in kind.documents(source):
        yield Item(
            source_uri=f"{source.prefix}{document.uri}",
            path=document.path,
            size=document.size,
            mtime_ns=document.mtime_ns,
            source=source.id,
            reason=document.reason,
        )


def files_again(engine: Engine, originals: Originals, knowledge_base: str, documents: Sequence[str]) -> Iterator[Item]:
    """The originals of documents, to be read anew."""
    row = tables.documents.c
    for start in range(0, len(documents), AT_ONCE):
        part = documents[start : start + AT_ONCE]
        found = select(row.source_uri, row.content, row.bytes, row.source, row.mtime_ns)
        with reading(engine) as connection:
            rows = connection.execute(found.where(row.knowledge_base == knowledge_base, row.id.in_(part))).all()
        for each in rows:
            path, reason = "", None
            try:
                path = str(originals.path(each.content))
            except NotFound as error:
                reason = error.reason
            yield Item(
                source_uri=each.source_uri,
                path=path,
                size=each.bytes,
                mtime_ns=each.mtime_ns,
                source=each.source,
                anew=True,
                reason=reason,
            )


def _stem(uri: str) -> str:
    """The URI of an archive without `.zip`, `.tar.gz` …"""
    folder, _, name = uri.rpartition("/")
    stem = name
    while Path(stem).suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"):
        stem = Path(stem).stem
    return f"{folder}/{stem}" if folder else stem
