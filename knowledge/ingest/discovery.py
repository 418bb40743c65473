"""Which files a job is about: an upload with its archives unpacked, a folder, or documents to be read anew."""

import mimetypes
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Engine, select

from devops_chatbot.db.transactions import reading
from devops_chatbot.errors import BadRequest, NotFound
from knowledge.catalog import tables
from knowledge.catalog.blobs import Originals
from knowledge.ingest.job_items import Item
from knowledge.loaders import loader_for
from knowledge.model import Source
from knowledge.sources.archives import ArchiveLimits, is_archive, unpack
from knowledge.sources.folder import SourceFile, files_below

AT_ONCE = 500
UNPACKED = ".unpacked"
"""Where the archives of an upload are unpacked: a hidden folder in its own, and so no part of the upload."""
NESTED = "It is an archive inside of an archive, which is not opened. Unpack it and add its files."
HIDDEN = "Its name begins with a dot, and hidden files are left out. Rename it and add it again."
LEFT_BY_MACOS = (".DS_Store", "._")
IN_FOLDER = "It is an archive, and those in a followed folder are not opened. Unpack it there, or upload it."
NOT_TEXT = ("image", "audio", "video", "font")
"""Kinds of files that are passed over among the files of a folder or an archive; alone they are refused by name."""


def files_of_upload(staged: Path, limits: ArchiveLimits) -> Iterator[Item]:
    """The files below `staged`; an archive counts as a folder of its name. What an archive is refused for is an item
    with a reason.
    """
    unpacked = staged / UNPACKED
    shutil.rmtree(unpacked, ignore_errors=True)  # of a run that was killed
    for uri, size in _hidden(staged):
        yield Item(source_uri=uri, path="", size=size, reason=HIDDEN)
    for number, file in enumerate(files_below(staged)):
        if not is_archive(file.uri):
            if "/" not in file.uri or not _passed_over(file):
                yield _item(file, mtime_ns=0)
            continue
        into = unpacked / str(number)
        into.mkdir(parents=True)
        try:
            refused = unpack(file.path, into, limits).refused
        except BadRequest as error:
            yield Item(source_uri=file.uri, path="", size=file.size, reason=str(error))
            continue
        prefix = f"{_stem(file.uri)}/"
        for member in refused:
            yield Item(source_uri=f"{prefix}{member.name.lstrip('/')}", path="", reason=member.reason)
        for inner in files_below(into, uri_prefix=prefix):
            if is_archive(inner.uri):
                yield Item(source_uri=inner.uri, path="", size=inner.size, reason=NESTED)
            elif not _passed_over(inner):
                yield _item(inner, mtime_ns=0)


def _hidden(staged: Path) -> Iterator[tuple[str, int]]:
    """(URI, size) of the files whose own name hides them: somebody chose them, and should hear why they are not taken."""
    for folder, folders, names in os.walk(staged):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") and not name.startswith(LEFT_BY_MACOS):
                path = Path(folder, name)
                yield path.relative_to(staged).as_posix(), path.stat().st_size


def files_of_folder(source: Source) -> Iterator[Item]:
    """The files of a folder; a folder or file in it that cannot be read is an item with a reason. Raises `NotFound` when the
    folder is not there, so that nothing is taken for deleted.
    """
    root = Path(source.location)
    if not root.is_dir():
        raise NotFound("folder.gone", folder=source.location)
    unreadable: list[Item] = []

    def note(uri: str, error: OSError) -> None:
        reason = f"It cannot be read ({error.strerror}). What was taken in from it before stays. Check its rights."
        unreadable.append(Item(source_uri=uri, path="", source=source.location, reason=reason))

    for file in files_below(root, uri_prefix=source.prefix, unreadable=note):
        yield from _taken(unreadable)
        if is_archive(file.uri):
            yield Item(source_uri=file.uri, path="", size=file.size, source=source.location, reason=IN_FOLDER)
        elif not _passed_over(file):
            yield _item(file, mtime_ns=file.mtime_ns, source=source.location)
    yield from _taken(unreadable)


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
                reason = str(error)
            yield Item(
                source_uri=each.source_uri,
                path=path,
                size=each.bytes,
                mtime_ns=each.mtime_ns,
                source=each.source,
                anew=True,
                reason=reason,
            )


def _taken(items: list[Item]) -> Iterator[Item]:
    """The items, taken out of the list."""
    while items:
        yield items.pop(0)


def _item(file: SourceFile, *, mtime_ns: int, source: str = "") -> Item:
    return Item(source_uri=file.uri, path=str(file.path), size=file.size, mtime_ns=mtime_ns, source=source)


def _passed_over(file: SourceFile) -> bool:
    kind, _ = mimetypes.guess_type(file.uri)
    return kind is not None and kind.partition("/")[0] in NOT_TEXT and loader_for(file.uri) is None


def _stem(uri: str) -> str:
    """The URI of an archive without `.zip`, `.tar.gz` …"""
    folder, _, name = uri.rpartition("/")
    stem = name
    while Path(stem).suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz"):
        stem = Path(stem).stem
    return f"{folder}/{stem}" if folder else stem
