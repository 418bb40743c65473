"""A data directory as the version before the first migration left it when it was killed: a knowledge base that follows a
folder, with one document that could not be read; a thread with two answers, an attachment and a run of code; a switched
role; four jobs, the last of which had not begun.
"""

import zipfile
from pathlib import Path

ARCHIVE = Path(__file__).parent.parent / "data" / "first-format.zip"
THREAD = "t406716be63824706a1300fac9a924b87"
DOCUMENTS = {"docs/disk.md": "ready", "docs/database.md": "ready", "cache.md": "ready", "empty.md": "failed"}


def unpack(folder: Path) -> Path:
    """A copy of it below `folder`."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder
