"""Fixtures that every area of the tests shares."""

import os
import shutil
from pathlib import Path

import pytest

CHROMIUM = "/usr/bin/chromium"
WHOLE = {"url", "client", "asking", "jobs"}
"""Fixtures that start the whole product or its jobs, which takes a second or more each time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if WHOLE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.service)


def missing(what: str, remedy: str) -> None:
    """A service is not here: a failure in CI, a skip with the reason elsewhere."""
    reason = f"{what} is not here; {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's executable."""
    path = shutil.which("chromium") or CHROMIUM
    if not Path(path).exists():
        missing("chromium", "install it with: apt-get install chromium")
    return Path(path)


@pytest.fixture(scope="session")
def embedding_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the bundled model's graph, built once per test run."""
    return tmp_path_factory.mktemp("embedding-cache")


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `CHATBOT_…` variable and no data directory of the person who runs the tests leaks in."""
    for name in list(os.environ):
        if name.startswith("CHATBOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CHATBOT_DATA_DIR", str(tmp_path / "data"))
