"""A source kind of another package: its documents are found by all three indexes, and no module of ours knows it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ingest.library import Library, Working, counts

from devops_chatbot.errors import ConfigError
from knowledge.graph import shared_id
from knowledge.model import Scope
from knowledge.retrieval.hybrid import HybridRetriever
from knowledge.sources import source_kinds

INVENTORY = '''"""Hosts and their services, from a CSV file."""

import csv
import io
from pathlib import Path

from knowledge.graph import CHUNK, MENTIONS, Edge, EdgeType, Node, NodeLabel, node_id, shared_id
from knowledge.sources import SourceDocument


class Inventory:
    labels = (
        NodeLabel(name="Host", properties={"name": str, "cores": int}, shared=True),
        NodeLabel(name="Service", properties={"name": str}, shared=True),
    )
    edges = (
        EdgeType(name=MENTIONS, source=CHUNK, target="Host"),
        EdgeType(name=MENTIONS, source=CHUNK, target="Service"),
        EdgeType(name="RUNS", source="Host", target="Service"),
    )

    def documents(self, source):
        for row in self._rows(source):
            yield SourceDocument(uri=f"{row['host']}.md", path=row["host"])

    def open(self, source, path):
        row = next(row for row in self._rows(source) if row["host"] == path)
        return io.BytesIO(f"# Host {path}\\n\\nIt has {row['cores']} cores and runs {row['services']}.\\n".encode())

    def graph(self, source, version, parsed, chunks):
        row = next(row for row in self._rows(source) if parsed.title == f"Host {row['host']}")
        host = Node(
            id=shared_id("Host", version.collection, row["host"]),
            properties={"name": row["host"], "cores": int(row["cores"])},
        )
        services = [
            Node(id=shared_id("Service", version.collection, name), properties={"name": name})
            for name in row["services"].split()
        ]
        edges = [Edge(source=host.id, target=service.id, type="RUNS") for service in services]
        for chunk in chunks:
            edges += [
                Edge(source=node_id(CHUNK, chunk.id), target=node.id, type=MENTIONS) for node in (host, *services)
            ]
        return [host, *services], edges

    def _rows(self, source):
        with Path(source.location).open() as file:
            return list(csv.DictReader(file, delimiter=source.options.get("delimiter", ",")))
'''
BROKEN = """raise RuntimeError("this package is of no use")"""


def install(folder: Path, name: str, code: str, *, group: str = "source_kinds", thing: str = "Inventory") -> None:
    """A package as an installer leaves it: a module, and metadata with an entry point."""
    (folder / f"{name}_kind.py").write_text(code)
    (folder / f"{name}_kind-1.0.dist-info").mkdir()
    (folder / f"{name}_kind-1.0.dist-info" / "METADATA").write_text(f"Name: {name}-kind\nVersion: 1.0\n")
    entry = f"[devops_chatbot.{group}]\n{name} = {name}_kind:{thing}\n"
    (folder / f"{name}_kind-1.0.dist-info" / "entry_points.txt").write_text(entry)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if name.endswith("_kind")]:
        del sys.modules[name]


def test_what_a_foreign_source_kind_gives_is_found_by_all_three_indexes(tmp_path: Path, packages: Path) -> None:
    install(packages, "inventory", INVENTORY)
    table = tmp_path / "hosts.csv"
    table.write_text("host;cores;services\ndb-1;64;postgres backup\nweb-1;8;nginx\nweb-2;8;nginx\n")
    library = Library(tmp_path / "library", real=True)
    working = Working(library)
    base = library.new_base()
    run = working.ended(working.learning.follow(base, str(table), kind="inventory", options={"delimiter": ";"}))
    assert (run.kind, run.state, counts(run)) == ("sync", "done", {"added": 3})
    (source,) = library.catalog.sources(base)
    assert (source.kind, source.location, source.options) == ("inventory", str(table), {"delimiter": ";"})
    assert set(library.documents(base)) == {"hosts.csv/db-1.md", "hosts.csv/web-1.md", "hosts.csv/web-2.md"}
    assert library.ingest.check(base) == []

    scope = Scope(principal="test", collections=(base,))
    retriever = HybridRetriever(
        catalog=library.catalog,
        vectors=library.stores.vectors,
        lexical=library.stores.lexical,
        graph=library.stores.graph,
        embedder_of=lambda _: library.embedder,
    )
    text = library.texts(base)["hosts.csv/db-1.md"]
    by_vector = retriever.search(f"Host db-1\n{text}".strip(), scope=scope, limit=3, mode="vector")
    assert "hosts.csv/db-1.md" in [hit.source_uri for hit in by_vector]
    assert retriever.search("64 cores", scope=scope, limit=1, mode="lexical")[0].source_uri == "hosts.csv/db-1.md"
    by_graph = retriever.search("nginx", scope=scope, limit=5, mode="graph")
    assert {hit.source_uri for hit in by_graph} >= {"hosts.csv/web-1.md", "hosts.csv/web-2.md"}

    graph = library.stores.graph
    (host,) = graph.find("DB-1", label="Host", scope=scope)
    assert host.properties == {"name": "db-1", "cores": 64}
    runs = graph.neighbours([host.id], edges=("RUNS",), scope=scope)
    assert {node.properties["name"] for node in runs.nodes} == {"db-1", "postgres", "backup"}
    other = shared_id("Host", base, "web-2")
    assert len(graph.path(shared_id("Host", base, "web-1"), other, scope=scope).nodes) == 3

    table.write_text("host;cores;services\nweb-1;8;nginx\nweb-2;8;nginx redis\n")
    again = working.ended(working.learning.sync(base, source.id))
    assert counts(again) == {"changed": 1, "unchanged": 1, "removed": 1}
    assert graph.find("db-1", label="Host", scope=scope) == []
    assert graph.find("backup", label="Service", scope=scope) == []
    assert library.ingest.check(base) == []
    working.close()
    library.close()


def test_nodes_that_are_not_registered_fail_the_document_and_not_the_run(tmp_path: Path, packages: Path) -> None:
    install(packages, "inventory", INVENTORY.replace('"cores": int(row["cores"])', '"cores": row["cores"]'))
    table = tmp_path / "hosts.csv"
    table.write_text("host,cores,services\ndb-1,64,postgres\n")
    library = Library(tmp_path / "library")
    base = library.new_base()
    run = library.run(base, "sync", library.ingest.follow(base, "inventory", str(table)).id)
    assert library.outcomes(run) == {"failed": 1}
    assert "cores (int)" in str(library.ingest.progress(run).errors[0].reason)
    library.close()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (BROKEN, "this package is of no use"),
        ("Other = 1", "Inventory"),
        (INVENTORY.replace('name="Host"', 'name="Chunk"'), "Chunk"),
        (INVENTORY.replace('"name": str, "cores"', '"title": str, "cores"'), "need a name"),
    ],
)
def test_one_that_raises_is_named_and_left_out_and_the_others_work(
    packages: Path, caplog: pytest.LogCaptureFixture, code: str, why: str
) -> None:
    install(packages, "inventory", code)
    kinds = source_kinds()
    assert list(kinds.found) == ["folder"]
    assert why in kinds.failed["inventory"]
    assert "'inventory' of inventory_kind:Inventory is left out" in caplog.text
    with pytest.raises(ConfigError, match="could not be registered"):
        kinds.get("inventory")
    with pytest.raises(ConfigError, match="Known: folder"):
        kinds.get("nowhere")


def test_a_name_that_is_taken_stays_with_its_owner(packages: Path) -> None:
    install(packages, "folder", INVENTORY)
    kinds = source_kinds()
    assert type(kinds.found["folder"]).__name__ == "FolderSources"
    assert list(kinds.failed) == ["folder (folder_kind:Inventory)"]
