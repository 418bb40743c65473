"""A real server over a real socket, in a thread: of any app, or of the whole product on an empty data directory."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import uvicorn
from patience import PATIENCE_S, wait_until
from starlette.types import ASGIApp

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import Product, build
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serves `app` on a free loopback port; gives its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=3))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    assert thread.is_alive()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@pytest.fixture
def serve() -> Callable[[ASGIApp], AbstractContextManager[str]]:
    """`with serve(app) as url:`"""
    return running


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    """The folder below which the server of `client` may read a folder source."""
    folder = tmp_path / "allowed"
    folder.mkdir()
    return folder.resolve()


@pytest.fixture
def product(tmp_path: Path, allowed: Path, embedding_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """The whole product on an empty data directory; `url` serves it."""
    monkeypatch.setenv("CHATBOT_KNOWLEDGE__FOLDERS", f'["{allowed}"]')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "embeddings").symlink_to(embedding_cache)
    settings = load()
    data = open_data_directory(settings.data_dir)
    yield build(settings, data)
    data.close()


@pytest.fixture
def url(product: Product) -> Iterator[str]:
    """A server of the product."""
    with running(create_app(product)) as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """A client of that server."""
    with Client(url) as client:
        yield client
