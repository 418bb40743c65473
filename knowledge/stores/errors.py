"""Says what is wrong with a store's files, and what to do about it."""

import errno
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devops_chatbot.errors import StoreUnavailable
from devops_chatbot.i18n import Reason

ROOM_BYTES = 1 << 20
"""Less free space than this is none: no store can close a file of its own with it."""
_FULL = ("disk is full", "no space left", "quota exceeded", "os error 28")
_LOCKED = ("locked", "lockbusy", "lock busy", "already in use", "os error 11")
_DENIED = ("permission denied", "readonly", "read-only", "unable to open database", "os error 13", "os error 30")
_LIBRARIES = ("chromadb", "chromadb_rust_bindings", "pyo3_runtime")


@contextmanager
def translated(store: Reason, folder: Path) -> Iterator[None]:
    """What a storage library raises inside the block leaves it as `StoreUnavailable`.

    On a damaged file libraries written in Rust panic, which reaches Python as a `BaseException` of `pyo3_runtime`.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError, sqlite3.Error) as error:
        raise unavailable(store, folder, error) from error
    except BaseException as error:
        if type(error).__module__.partition(".")[0] not in _LIBRARIES:
            raise
        raise unavailable(store, folder, error) from error


def unavailable(store: Reason, folder: Path, error: BaseException) -> StoreUnavailable:
    """What is to be raised for `error`."""
    return StoreUnavailable("store.failed", store=store, folder=folder, error=str(error), advice=_advice(folder, error))


def has_room(folder: Path, size: int = ROOM_BYTES) -> bool:
    """Whether the disk of an existing folder takes `size` bytes more."""
    return shutil.disk_usage(folder).free >= size


def _is_full(folder: Path) -> bool:
    there = next((path for path in (folder, *folder.parents) if path.is_dir()), None)
    return there is not None and not has_room(there)


def _advice(folder: Path, error: BaseException) -> Reason:
    text = str(error).lower()
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT) or any(sign in text for sign in _FULL) or _is_full(folder):
        return Reason("store.full")
    if number in (errno.EAGAIN, errno.EBUSY) or any(sign in text for sign in _LOCKED):
        return Reason("store.in_use")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or any(sign in text for sign in _DENIED):
        return Reason("store.denied")
    return Reason("store.damaged")
