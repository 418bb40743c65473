"""Which files a folder holds, and which folders may be read."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from devops_chatbot.errors import BadRequest, NotAllowed, NotFound

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "CVS"})
"""Folders that hold other people's files; hidden ones (`.git`, `.venv`) are skipped as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as listed: its URI (a relative POSIX path), where it is, bytes, and time of change in nanoseconds."""

    uri: str
    path: Path
    size: int
    mtime_ns: int


def files_below(root: Path, *, uri_prefix: str = "") -> Iterator[SourceFile]:
    """Every regular file below `root`, in the order of their names, in constant memory.

    Hidden files and folders and those of `SKIPPED` are left out. A link is followed only to a file that lies below `root`. What
    vanishes between listing and looking is left out. Raises `NotFound` when `root` is no readable folder.
    """
    base = root.resolve()
    if not base.is_dir():
        raise NotFound(f"There is no folder {root}.")
    try:
        with os.scandir(base):
            yield from _below(base, base, uri_prefix)
    except PermissionError as error:
        raise NotFound(f"The folder {root} cannot be read: {error.strerror}.") from error


def allowed_folder(location: str, allowed: Sequence[Path]) -> Path:
    """The folder at `location`, resolved, when it lies at or below one of `allowed`.

    Raises `BadRequest` for a path that is empty or not absolute, `NotAllowed` outside of the allowed folders, `NotFound`.
    """
    if not location.strip() or "\0" in location:
        raise BadRequest("The location of a folder source is empty; give the absolute path of a folder on the server.")
    path = Path(location).expanduser()
    if not path.is_absolute():
        raise BadRequest(f"The location {location!r} is not absolute; give the whole path of a folder on the server.")
    resolved = path.resolve()
    if not any(resolved.is_relative_to(folder.resolve()) for folder in allowed):
        where = ", ".join(str(folder) for folder in allowed) or "none yet"
        raise NotAllowed(
            f"The folder {location} is not below a folder that the settings allow. Add it to knowledge.folders in "
            f"chatbot.toml; allowed now: {where}."
        )
    if not resolved.is_dir():
        raise NotFound(f"There is no folder {location} on the server.")
    return resolved


def _below(folder: Path, root: Path, prefix: str) -> Iterator[SourceFile]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in SKIPPED:
                    yield from _below(Path(entry.path), root, prefix)
                continue
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(root):
                continue
            if not entry.is_file():
                continue
            stat = entry.stat()
        except OSError:
            continue
        path = Path(entry.path)
        name = path.relative_to(root).as_posix().encode("utf-8", "replace").decode("utf-8")
        yield SourceFile(uri=prefix + name, path=path, size=stat.st_size, mtime_ns=stat.st_mtime_ns)
