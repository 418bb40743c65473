"""The backends of the stores are chosen by name."""

from pathlib import Path

import pytest

from devops_chatbot.errors import ConfigError
from knowledge.graph import DOCUMENTS
from knowledge.stores.backends import backends


def test_the_named_backends_are_opened_each_in_its_folder(tmp_path: Path) -> None:
    stores = backends().open(tmp_path.joinpath, vectors="chroma", lexical="tantivy", graph="ladybug", schema=DOCUMENTS)
    assert [type(store).__name__ for store in (stores.vectors, stores.lexical, stores.graph)] == [
        "ChromaVectors",
        "TantivyWords",
        "LadybugGraph",
    ]
    assert list(tmp_path.iterdir()) == []
    stores.close()


def test_a_name_that_nothing_is_registered_under_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no graph store 'neo4j'\. Known: ladybug"):
        backends().open(tmp_path.joinpath, vectors="chroma", lexical="tantivy", graph="neo4j", schema=DOCUMENTS)
