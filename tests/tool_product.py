"""A product with tools, whose only model is a scripted one."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.chat import Event
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from devops_chatbot.schemas.threads import NewMessage

Started = Callable[..., AbstractContextManager[Client]]


@pytest.fixture
def working(tmp_path: Path, embedding_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Started:
    """`with working(model, {"prometheus": {"url": …}}, scenarios={"x.yaml": …}) as client:`; again: on the same data."""

    @contextmanager
    def start(
        model_url: str,
        tools: Mapping[str, object] | None = None,
        *,
        scenarios: Mapping[str, str] | None = None,
        **changes: object,
    ) -> Iterator[Client]:
        data_dir = tmp_path / "data"
        (data_dir / "scenarios").mkdir(parents=True, exist_ok=True)
        if not (data_dir / "embeddings").exists():
            (data_dir / "embeddings").symlink_to(embedding_cache)
        for name, text in (scenarios or {}).items():
            (data_dir / "scenarios" / name).write_text(text)
        model = {"provider": "openai-compatible", "model": "m", "api_key": "sk-configured", "base_url": model_url}
        monkeypatch.setenv("CHATBOT_MODELS", json.dumps({"scripted": {"context": 32_000, **model, **changes}}))
        monkeypatch.setenv("CHATBOT_ROLES__ANSWER", '["scripted"]')
        monkeypatch.setenv("CHATBOT_TOOLS", json.dumps(tools or {}))
        settings = load()
        data = open_data_directory(settings.data_dir)
        try:
            with running(create_app(build(settings, data))) as url, Client(url) as client:
                yield client
        finally:
            data.close()

    return start


def asked(client: Client, text: str, route: str = "tools", thread: str | None = None) -> list[Event]:
    """All events of one question."""
    return list(client.ask(thread or client.create_thread().id, NewMessage(text=text, route=route)))
