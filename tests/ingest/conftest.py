"""Fixtures of the ingest's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest.library import Library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.close()
