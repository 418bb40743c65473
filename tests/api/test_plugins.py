"""A package whose plugin is of no use does not keep the product from starting, and is named."""

from pathlib import Path

import pytest
from whole_product import running

from devops_chatbot.api.app import create_app
from devops_chatbot.bootstrap import build
from devops_chatbot.client.client import Client
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import load
from knowledge import loaders


def test_plugins_that_raise_are_left_out_and_named_by_readyz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_plugin.py").write_text("raise OSError('its licence has ended')")
    info = tmp_path / "broken_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: broken-plugin\nVersion: 1.0\n")
    groups = ("source_kinds", "loaders", "vector_stores", "lexical_stores", "graph_stores", "toolsets")
    entries = "".join(f"[devops_chatbot.{group}]\nbroken = broken_plugin:THING\n" for group in groups)
    (info / "entry_points.txt").write_text(entries)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("CHATBOT_DATA_DIR", str(tmp_path / "data"))
    loaders.loaders.cache_clear()
    settings = load()
    data = open_data_directory(settings.data_dir)
    try:
        with running(create_app(build(settings, data))) as url, Client(url) as client:
            found = client.readiness()
    finally:
        data.close()
        loaders.loaders.cache_clear()
    assert found.ready
    failed = {check.name: str(check.why) for check in found.checks if "broken" in check.name}
    assert set(failed) == {
        f"{noun} broken"
        for noun in ("source kind", "loader", "vector store", "lexical store", "graph store", "toolset")
    }
    assert all("its licence has ended" in why for why in failed.values())
