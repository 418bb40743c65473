"""Ends the container's processes. All but process 1, which calls this, belong to user code."""

import errno
import os
import signal
import time

GONE_WITHIN = 5.0
ROUNDS = 50


def end_all() -> None:
    """End every process but this one, and wait for them. One call reaches all of them, forking or not."""
    _signal_all()
    deadline = time.monotonic() + GONE_WITHIN
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                _signal_all()
                time.sleep(0.002)
        except ChildProcessError:
            return


def end_all_but(keep: "set[int]") -> bool:
    """End every process but this one and `keep`; false when they fork faster than they can be counted."""
    kept = {os.getpid(), *keep}
    for _ in range(ROUNDS):
        strays = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if pid not in kept]
        strays = [pid for pid in strays if not _is_dead(pid)]
        if not strays:
            return True
        for pid in strays:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    return False


def _signal_all() -> None:
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass  # there is no other process


def _is_dead(pid: int) -> bool:
    """Whether it has ended, waited for or not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] in (b"Z", b"X")
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ESRCH)
