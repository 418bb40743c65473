"""Which files a folder holds, and which folders may be read."""

import mimetypes
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from devops_chatbot.errors import BadRequest, NotAllowed, NotFound
from devops_chatbot.i18n import Reason
from knowledge.graph import Edge, EdgeType, Node, NodeLabel
from knowledge.loaders import loader_for
from knowledge.model import Source
from knowledge.sources import SourceDocument
from knowledge.sources.archives import is_archive

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "CVS"})
"""Folders that hold other people's files; hidden ones (`.git`, `.venv`) are skipped as well."""
A_TICK_NS = 1_000_000
"""Less than a tick of a file system's clock: files of one tick, such as those of two releases, are told apart by their inodes."""
VERSION_CONTROL = frozenset({".git", ".hg", ".svn"})
NOT_TEXT = ("image", "audio", "video", "font")
"""Kinds of files that are passed over among the files of a folder or an archive; alone they are refused by name."""


class FolderSources:
    """The `SourceKind` of folders on this machine."""

    labels: Sequence[NodeLabel] = ()
    edges: Sequence[EdgeType] = ()

    def documents(self, source: Source) -> Iterator[SourceDocument]:
        """The files below the folder; one, or a folder in it, that cannot be read is given with the reason."""
        root = Path(source.location)
        if not root.is_dir():
            raise NotFound("folder.gone", folder=source.location)
        left_out: list[SourceDocument] = []

        def note(uri: str, reason: Reason) -> None:
            left_out.append(SourceDocument(uri=uri, path="", reason=reason))

        for file in files_below(root, left_out=note):
            if is_archive(file.uri):
                yield SourceDocument(uri=file.uri, path="", size=file.size, reason=Reason("document.archive_in_folder"))
            elif not passed_over(file):
                yield SourceDocument(uri=file.uri, path=str(file.path), size=file.size, mtime_ns=file.mtime_ns)
        yield from left_out

    def open(self, source: Source, path: str) -> BinaryIO:  # noqa: ARG002 a path is enough
        return Path(path).open("rb")

    def graph(self, *_: object) -> tuple[Iterable[Node], Iterable[Edge]]:
        return (), ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as listed: its URI (a relative POSIX path), where it is, bytes, and when it changed in nanoseconds.

    That is the time of its inode, which nobody can set: a time of modification is kept by `rsync -t`, backups and builds that
    are the same every time.
    """

    uri: str
    path: Path
    size: int
    mtime_ns: int


def files_below(
    root: Path, *, uri_prefix: str = "", left_out: Callable[[str, Reason], None] | None = None
) -> Iterator[SourceFile]:
    """Every regular file below `root`, in the order of their names; memory holds one folder's names a level.

    Hidden files and folders and those of `SKIPPED` are left out. A link is followed to a file that lies below `root`, and into a
    hidden folder there, which is how a mounted ConfigMap and git-sync show their files. What vanishes between listing and
    looking is left out. What a person would miss is left out and told: what cannot be looked at, and links that lead out of
    `root` (the URI of a folder ends in a slash). Raises `NotFound` when `root` is no readable folder.
    """
    base = root.resolve()
    if not base.is_dir():
        raise NotFound("folder.not_found", folder=root)
    try:
        with os.scandir(base):
            pass
    except PermissionError as error:
        raise NotFound("folder.unreadable", folder=root, error=error.strerror) from error
    yield from _below(base, uri_prefix, left_out or (lambda _uri, _reason: None))


def passed_over(file: SourceFile) -> bool:
    """Whether a file is of no kind that can hold text."""
    kind, _ = mimetypes.guess_type(file.uri)
    return kind is not None and kind.partition("/")[0] in NOT_TEXT and loader_for(file.uri) is None


def allowed_folder(location: str, allowed: Sequence[Path]) -> Path:
    """The folder at `location` as it was given, when it lies at or below one of `allowed` now.

    A link stays one: where it leads to tomorrow (a new release, another commit) is the same folder with other content.

    Raises `BadRequest` for a path that is empty or not absolute, `NotAllowed` outside of the allowed folders, `NotFound`.
    """
    if not location.strip() or "\0" in location:
        raise BadRequest("folder.no_location")
    try:
        path = Path(location).expanduser()
        if not path.is_absolute():
            raise BadRequest("folder.not_absolute", location=location)
        resolved = path.resolve()
    except (RuntimeError, OSError) as error:  # a home of nobody, a circle of links, a name that is too long
        raise BadRequest("folder.bad_location", location=location, error=error) from error
    if not any(resolved.is_relative_to(folder.resolve()) for folder in allowed):
        raise NotAllowed("folder.not_allowed", folder=location, allowed=allowed or Reason("folder.none_allowed"))
    if not resolved.is_dir():
        raise NotFound("folder.not_found", folder=location)
    return resolved if ".." in path.parts else path


def _below(root: Path, prefix: str, left_out: Callable[[str, Reason], None]) -> Iterator[SourceFile]:
    """Depth first, without recursion, because folders may nest deeper than Python calls."""
    levels = [iter(_entries(root))]
    names: list[str] = []
    followed: set[Path] = set()
    while levels:
        entry = next(levels[-1], None)
        if entry is None:
            levels.pop()
            if names:
                names.pop()
            continue
        uri = prefix + "/".join((*names, entry.name)).encode("utf-8", "backslashreplace").decode("utf-8")
        folder = False
        try:
            folder = entry.is_dir(follow_symlinks=False)
            if folder:
                if entry.name not in SKIPPED:
                    levels.append(iter(_entries(Path(entry.path))))
                    names.append(entry.name)
                continue
            if entry.is_symlink():
                target = Path(entry.path).resolve()
                folder = target.is_dir()
                if not target.is_relative_to(root):
                    if folder or target.is_file():
                        left_out(f"{uri}/" if folder else uri, Reason("document.link_out", target=target))
                    continue
                if folder:
                    if _in_hidden_folder(target / "x", root) and target not in followed:
                        followed.add(target)
                        levels.append(iter(_entries(target)))
                        names.append(entry.name)
                    continue  # what is not hidden is read where it stands
                if target.name.startswith("."):
                    left_out(uri, Reason("document.link_hidden", target=target))
                    continue
            if not entry.is_file():
                continue
            stat = entry.stat()
        except (FileNotFoundError, NotADirectoryError, RuntimeError):  # vanished, or a circle of links
            continue
        except OSError as error:
            left_out(f"{uri}/" if folder else uri, Reason("document.unreadable", error=error.strerror))
            continue
        mtime_ns = stat.st_ctime_ns + (stat.st_dev + stat.st_ino) % A_TICK_NS
        yield SourceFile(uri=uri, path=Path(entry.path), size=stat.st_size, mtime_ns=mtime_ns)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without hidden entries. Raises `OSError`."""
    with os.scandir(folder) as entries:
        return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)


def _in_hidden_folder(target: Path, root: Path) -> bool:
    """Whether a path below the root leads through a hidden folder other than those of version control."""
    folders = target.relative_to(root).parts[:-1]
    return any(part.startswith(".") for part in folders) and not VERSION_CONTROL.intersection(folders)
