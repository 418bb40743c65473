"""Fixtures that every area of the tests shares, and the services that are made ready before the first test."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker_engine
import monitoring as monitoring_servers
import pytest
import real_model
from services import Missing, Service, end_all, needed

from knowledge.embed import open_bundled

WHOLE = {"url", "client", "asking", "working", "monitoring"}
"""Fixtures that start the whole product or its runs, which takes a second or more each time."""


@Service
def embedding_graph(say: Callable[[str], None]) -> Iterator[Path]:
    """A folder with the bundled model's graph."""
    with tempfile.TemporaryDirectory(prefix="embedding-cache-") as folder:
        say("Writing the embedding model's graph")
        model = open_bundled(Path(folder))
        model.embed_query("ready")
        model.close()
        yield Path(folder)


@Service
def browser_program(say: Callable[[str], None]) -> Iterator[Path]:
    """The browser's executable."""
    path = shutil.which("chromium")
    if path is None:
        raise Missing("chromium: apt-get install chromium")
    yield Path(path)


SERVICES: dict[str, Service[Any]] = {
    "image": docker_engine.sandbox_image,
    "offering": docker_engine.gvisor_engine,
    "embedding_cache": embedding_graph,
    "chromium": browser_program,
    "monitoring": monitoring_servers.monitoring,
    "smollm2": real_model.small_model,
}
"""What is made ready for the tests that use these fixtures."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if WHOLE & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.service)


def pytest_collection_finish(session: pytest.Session) -> None:
    """No test's clock runs yet: what takes minutes on a slow machine may take them."""
    if session.config.option.collectonly:
        return
    session.config.add_cleanup(end_all)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    for name, service in SERVICES.items():
        if name in wanted:
            with contextlib.suppress(Missing):  # the tests that need it say so
                service.get(reporter.write_line if reporter else lambda _: None)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's executable."""
    return needed(browser_program)


@pytest.fixture(scope="session")
def smollm2() -> real_model.RealModel:
    """A real language model, small and slow."""
    return needed(real_model.small_model)


@pytest.fixture(scope="session")
def embedding_cache() -> Path:
    """A folder with the bundled model's graph."""
    return needed(embedding_graph)


@pytest.fixture(scope="session")
def monitoring() -> monitoring_servers.Monitoring:
    """Prometheus, Alertmanager and node exporter, with a rule that fires."""
    return needed(monitoring_servers.monitoring)


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `CHATBOT_…` variable and no data directory of the person who runs the tests leaks in."""
    for name in list(os.environ):
        if name.startswith("CHATBOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CHATBOT_DATA_DIR", str(tmp_path / "data"))
