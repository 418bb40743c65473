"""The running product, and a browser before it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docker_engine import engine, image
from patience import PATIENCE_S
from scripted_model import ScriptedModel
from served_pages import Product, fill, product, reply

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["engine", "image"]


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory, embedding_cache: Path) -> Iterator[Product]:
    """The product with a language model, and one knowledge base to ask."""
    with (
        ScriptedModel(reply) as model,
        product(tmp_path_factory.mktemp("spoken"), embedding_cache, model=model) as running,
    ):
        fill(running.client, "Runbooks")
        yield running


@pytest.fixture
def fresh(tmp_path: Path, embedding_cache: Path) -> Iterator[Product]:
    """The product just installed: no language model, nothing in it."""
    with product(tmp_path, embedding_cache, model=None) as running:
        yield running


@pytest.fixture(scope="session")
def browser(chromium: Path) -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: "Browser") -> "Iterator[Page]":
    """A page of an English browser; anything that reaches for another machine is a failure."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1360, "height": 860})
    foreign: list[str] = []

    def watch(request: Any) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            foreign.append(request.url)

    context.on("request", watch)
    context.set_default_timeout(1000 * PATIENCE_S)
    yield context.new_page()
    context.close()
    assert foreign == []
