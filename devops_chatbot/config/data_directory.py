"""The one directory that everything is kept in: its owner, its format, and the address of the server on it."""

import contextlib
import errno
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from devops_chatbot.errors import ConfigError, StoreUnavailable

FORMAT = 2
"""Counts up when the directory changes in a way that an older product would not notice; the tables count for themselves."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_VERSION = "format"
_LOCK = "lock"
_ADDRESS = "server.json"


class OwnedByAnother(StoreUnavailable):
    """Another process owns the data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the server that owns a data directory listens."""

    api: str
    ui: str | None
    pid: int


class DataDirectory:
    """An owned data directory; nobody else opens it until `close`. Made by `open_data_directory`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @property
    def records(self) -> Path:
        return self.path / "records.sqlite"

    def folder(self, name: str) -> Path:
        """A folder below the directory, made when missing. Raises `StoreUnavailable`."""
        folder = self.path / name
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreUnavailable("data_directory.no_folder", folder=folder, error=error.strerror) from error
        return folder

    def publish(self, address: Address) -> None:
        """Tell other programs of this machine where the server listens."""
        draft = self.path / f"{_ADDRESS}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(address)), "utf-8")
        draft.replace(self.path / _ADDRESS)

    def close(self) -> None:
        """Give the directory up. A second call does nothing."""
        if self._lock < 0:
            return
        (self.path / _ADDRESS).unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1


def open_data_directory(path: Path) -> DataDirectory:
    """Make the directory when missing and own it.

    Raises `OwnedByAnother` when another process owns it (naming its pid), `StoreUnavailable` when the disk is full, and
    `ConfigError` when it cannot be written or belongs to a newer version of the product.
    """
    lock = -1
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _own(path, lock)
        _check_format(path)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        (path / _ADDRESS).unlink(missing_ok=True)  # of a server that did not end well
    except OSError as error:
        _release(lock)
        if error.errno in FULL:
            raise StoreUnavailable("disk.full") from error
        raise ConfigError("data_directory.not_writable", path=path, error=error.strerror) from error
    except (StoreUnavailable, ConfigError):
        _release(lock)
        raise
    return DataDirectory(path, lock)


def running_server(path: Path) -> Address | None:
    """The address that the living owner of the directory published; None when there is none."""
    try:
        address = Address(**json.loads((path / _ADDRESS).read_text("utf-8")))
        lock = os.open(path / _LOCK, os.O_RDONLY)
    except (OSError, ValueError, TypeError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return address
    finally:
        os.close(lock)
    return None  # nobody holds the lock: the file was left behind


def free_bytes(path: Path) -> int:
    """Bytes that this user can still write on the disk of `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _own(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise OwnedByAnother("data_directory.owned", pid=owner, path=path) from None


def _check_format(path: Path) -> None:
    file = path / _VERSION
    try:
        found = int(file.read_text("ascii")) if file.exists() else 0
    except ValueError:
        raise ConfigError("data_directory.damaged", file=file, example=FORMAT) from None
    if found > FORMAT:
        raise ConfigError("data_directory.newer", path=path, found=found, known=FORMAT)
    if found < FORMAT:  # before anything is migrated, so that an older product does not touch what is half done
        with contextlib.suppress(FileNotFoundError):
            (path / "jobs").rename(path / "runs")
        draft = path / f"{_VERSION}.{os.getpid()}"
        draft.write_text(f"{FORMAT}\n", "ascii")
        draft.replace(file)


def _release(lock: int) -> None:
    if lock >= 0:
        with contextlib.suppress(OSError):
            os.close(lock)


def _remedy(error: OSError) -> str:
    return "Free some space and try again." if error.errno in FULL else "Check the permissions of the data directory."
