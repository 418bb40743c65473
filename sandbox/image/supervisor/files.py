"""Files of the session's folder: every path is walked from the folder down without following a single link."""

import errno
import os
import stat
from typing import Any

MAX_ENTRIES = 5000
MAX_DEPTH = 32


class Refused(Exception):
    """What was asked for cannot be done; the first argument is `not_found`, `bad_path`, `too_large` or `full`."""


def parts(path: str) -> list[str]:
    """The names in a relative path. Raises `Refused`."""
    names = path.split("/")
    if (
        not path
        or len(names) > MAX_DEPTH
        or any(name in ("", ".", "..") or len(name.encode("utf-8", "surrogateescape")) > 255 for name in names)
    ):
        raise Refused("bad_path", "a path is relative, without empty parts, '.' and '..'")
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise Refused("bad_path", "a path has no control characters")
    return names


class Folder:
    """The session's folder, with everything that the host may do to it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._partial: dict[str, str] = {}

    def put(self, path: str, data: bytes, *, first: bool, last: bool) -> None:
        """Write the next piece of a file; nothing is seen under its name before the last one."""
        names = parts(path)
        partial = ".put-" + "".join(f"{byte:02x}" for byte in os.urandom(8)) if first else self._partial.get(path, "")
        if not partial:
            raise Refused("not_found", "the first piece of this file is missing")
        self._partial[path] = partial
        try:
            with _Opened(self._root, names[:-1], create=True) as parent:
                _append(parent, partial, data, first=first)
                if last:
                    _replace(parent, partial, names[-1])
        except (OSError, Refused) as error:
            self._forget(names, partial)
            self._partial.pop(path, None)
            raise _refused(error) if isinstance(error, OSError) else error from error
        if last:
            self._partial.pop(path, None)

    def cancel(self, path: str) -> None:
        """Forget the pieces of a file that will not be whole."""
        partial = self._partial.pop(path, None)
        if partial is not None:
            self._forget(parts(path), partial)

    def get(self, path: str, *, offset: int, size: int) -> tuple[bytes, int]:
        """A piece of a file, and the size of the whole."""
        names = parts(path)
        try:
            with _Opened(self._root, names[:-1]) as parent:
                # Without O_NONBLOCK, a pipe under this name would stop the supervisor for ever.
                handle = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
                try:
                    state = os.fstat(handle)
                    if not stat.S_ISREG(state.st_mode):
                        raise Refused("bad_path", "this is not a plain file")
                    return os.pread(handle, size, offset), state.st_size
                finally:
                    os.close(handle)
        except OSError as error:
            raise _refused(error) from error

    def delete(self, path: str) -> None:
        """Remove a file, or a folder with everything in it."""
        names = parts(path)
        try:
            with _Opened(self._root, names[:-1]) as parent:
                _remove(parent, names[-1])
        except OSError as error:
            raise _refused(error) from error

    def entries(self, *, hidden: bool = False) -> list[dict[str, Any]]:
        """Plain files below the folder in the order of their names, at most `MAX_ENTRIES`."""
        found: list[dict[str, Any]] = []
        waiting = [""]
        while waiting and len(found) < MAX_ENTRIES:
            below = waiting.pop()
            try:
                with _Opened(self._root, below.split("/") if below else []) as folder, os.scandir(folder) as entries:
                    for entry in entries:
                        if not hidden and entry.name.startswith("."):
                            continue
                        path = f"{below}/{entry.name}" if below else entry.name
                        state = entry.stat(follow_symlinks=False)
                        if stat.S_ISDIR(state.st_mode):
                            if path.count("/") < MAX_DEPTH and len(waiting) < MAX_ENTRIES:
                                waiting.append(path)
                        elif stat.S_ISREG(state.st_mode) and _printable(path):
                            found.append({"path": path, "size": state.st_size, "mtime": state.st_mtime_ns})
                            if len(found) >= MAX_ENTRIES:
                                break
            except OSError:
                continue  # it vanished, or was closed to us, while we looked
        return sorted(found, key=lambda entry: str(entry["path"]))

    def _forget(self, names: "list[str]", partial: str) -> None:
        try:
            with _Opened(self._root, names[:-1]) as parent:
                os.unlink(partial, dir_fd=parent)
        except OSError:
            return


class _Opened:
    """A folder below `root` as a descriptor; a link anywhere on the way is an error."""

    def __init__(self, root: "str | int", names: "list[str]", *, create: bool = False) -> None:
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if isinstance(root, str) else os.dup(root)
        try:
            for name in names:
                if create:
                    try:
                        os.mkdir(name, 0o755, dir_fd=self._fd)
                    except FileExistsError:
                        pass
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                inner = os.open(name, flags, dir_fd=self._fd)
                os.close(self._fd)
                self._fd = inner
        except BaseException:
            os.close(self._fd)
            raise

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _append(parent: int, name: str, data: bytes, *, first: bool) -> None:
    # Code may put a pipe under this name between two pieces; without O_NONBLOCK that would stop the supervisor for ever.
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(name, flags | (os.O_CREAT | os.O_EXCL if first else os.O_APPEND), 0o644, dir_fd=parent)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise Refused("bad_path", "the file was replaced while it was written")
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
    finally:
        os.close(handle)


def _replace(parent: int, partial: str, name: str) -> None:
    try:
        os.replace(partial, name, src_dir_fd=parent, dst_dir_fd=parent)
    except OSError:
        os.unlink(partial, dir_fd=parent)
        raise


def _remove(parent: int, name: str, depth: int = 0) -> None:
    if depth > MAX_DEPTH:
        raise Refused("bad_path", "folders lie too deep in each other; remove them with code")
    try:
        os.unlink(name, dir_fd=parent)
        return
    except IsADirectoryError:
        pass
    with _Opened(parent, [name]) as folder:
        for inner in os.listdir(folder):
            _remove(folder, inner, depth + 1)
    os.rmdir(name, dir_fd=parent)


def _printable(path: str) -> bool:
    try:
        parts(path)
        path.encode()
    except (Refused, UnicodeEncodeError):
        return False
    return True


def _refused(error: OSError) -> Refused:
    if error.errno == errno.ENOENT:
        return Refused("not_found", "there is no such file")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Refused("full", "the session's folder is full")
    if error.errno == errno.EFBIG:
        return Refused("too_large", "the file is larger than the session allows")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Refused("bad_path", "a link, or something that is not a folder, is on the way")
    return Refused("bad_path", os.strerror(error.errno or 0))
