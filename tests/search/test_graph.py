"""LadybugDB keeps the contract of a graph store, and its data across a restart."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.graph_contract import ALERT, KNOWLEDGE_BASE, GraphStoreContract, graph, version_of

from knowledge.stores.graph.ladybug import LadybugGraph


@pytest.fixture
def graph_store(tmp_path: Path) -> Iterator[LadybugGraph]:
    store = LadybugGraph(tmp_path / "graph")
    yield store
    store.close()


class TestLadybugGraph(GraphStoreContract):
    pass


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    first = LadybugGraph(tmp_path / "graph")
    first.add([graph(1, ALERT)])
    first.close()
    second = LadybugGraph(tmp_path / "graph")
    assert second.versions(KNOWLEDGE_BASE) == {version_of(1)}
    second.close()
