"""Room on the disk that is given up when the disk is full otherwise, so that it can still be written down what failed."""

import contextlib
import os
from pathlib import Path

SIZE = 4 << 20


class Reserve:
    """A file that holds the room. Safe for concurrent use; a second call of either method does nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self) -> None:
        """Take the room, when there is so much."""
        if self._path.exists():
            return
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, SIZE)
        except OSError:
            self.release()

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()
