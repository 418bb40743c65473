"""Which files a folder holds, and which folders may be read."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devops_chatbot.errors import BadRequest, NotAllowed, NotFound
from devops_chatbot.i18n import Reason

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "CVS"})
"""Folders that hold other people's files; hidden ones (`.git`, `.venv`) are skipped as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as listed: its URI (a relative POSIX path), where it is, bytes, and time of change in nanoseconds."""

    uri: str
    path: Path
    size: int
    mtime_ns: int


def files_below(
    root: Path, *, uri_prefix: str = "", unreadable: Callable[[str, OSError], None] | None = None
) -> Iterator[SourceFile]:
    """Every regular file below `root`, in the order of their names; memory holds one folder's names a level.

    Hidden files and folders and those of `SKIPPED` are left out. A link is followed only to a file that lies below `root`. What
    vanishes between listing and looking is left out; what is there and cannot be looked at is left out too, and
    `unreadable` is told its URI (a folder's ends in a slash). Raises `NotFound` when `root` is no readable folder.
    """
    base = root.resolve()
    if not base.is_dir():
        raise NotFound("folder.not_found", folder=root)
    try:
        with os.scandir(base):
            pass
    except PermissionError as error:
        raise NotFound("folder.unreadable", folder=root, error=error.strerror) from error
    yield from _below(base, uri_prefix, unreadable)


def allowed_folder(location: str, allowed: Sequence[Path]) -> Path:
    """The folder at `location`, resolved, when it lies at or below one of `allowed`.

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
    return resolved


def _below(root: Path, prefix: str, unreadable: Callable[[str, OSError], None] | None) -> Iterator[SourceFile]:
    """Depth first, without recursion, because folders may nest deeper than Python calls."""
    levels = [iter(_entries(root))]
    names: list[str] = []
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
            if not entry.is_file() or (entry.is_symlink() and not _stays(Path(entry.path), root)):
                continue
            stat = entry.stat()
        except (FileNotFoundError, NotADirectoryError, RuntimeError):  # vanished, or a circle of links
            continue
        except OSError as error:
            if unreadable is not None:
                unreadable(f"{uri}/" if folder else uri, error)
            continue
        yield SourceFile(uri=uri, path=Path(entry.path), size=stat.st_size, mtime_ns=stat.st_mtime_ns)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What a folder holds, by name, without hidden entries. Raises `OSError`."""
    with os.scandir(folder) as entries:
        return sorted((one for one in entries if not one.name.startswith(".")), key=lambda one: one.name)


def _stays(link: Path, root: Path) -> bool:
    """True for a link to a file below the root that is not hidden."""
    target = link.resolve()
    return target.is_relative_to(root) and not any(part.startswith(".") for part in target.relative_to(root).parts)
