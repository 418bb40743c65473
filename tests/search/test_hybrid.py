"""Search on the real stores with the bundled model: what is found first, in which scope, and how sure it is."""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from devops_chatbot.db.blobs import FolderBlobs
from devops_chatbot.db.engine import open_database
from devops_chatbot.errors import BadQuestion
from knowledge import loaders
from knowledge.catalog.blobs import Originals
from knowledge.catalog.catalog import Catalog
from knowledge.embed import Embedder, open_bundled, open_fast
from knowledge.graph import DOCUMENTS
from knowledge.ingest.ingest import Ingest
from knowledge.model import Hit, ParsedDocument, Scope
from knowledge.retrieval.hybrid import HybridRetriever
from knowledge.sources import source_kinds
from knowledge.stores.graph.ladybug import LadybugGraph
from knowledge.stores.indexes import Stores
from knowledge.stores.lexical.tantivy import TantivyWords
from knowledge.stores.vector.chroma import ChromaVectors

CROWD = 0.8
"""The least cosine of any two texts under `Crowded`."""

RUNBOOKS = {
    "KubePodCrashLooping.md": """# KubePodCrashLooping

## Meaning

A container of the pod exits again and again, and the kubelet waits longer before every new start.

## Diagnosis

Read the log of the previous container with `kubectl logs --previous`. See also [quotas](quotas.md).
""",
    "on-call.md": """# Notes for people on call

Most nights bring KubePodCrashLooping and nothing else. Silence what somebody works on already.

Hand over in the morning. Write down what you silenced, and for how long.
""",
    "disk.md": """# Free space on a node

## Clean up

Unused images fill the volume of the container runtime. Prune them, then delete old journals.
""",
    "quotas.md": """# Quotas of a namespace

A namespace has at most 40 pods. An administrator raises the number in the ResourceQuota.
""",
    "backup.md": """# Backing up etcd

Take a snapshot every hour and copy it away from the cluster.

Restore into an empty directory, then start the members one by one.
""",
}
RECIPES = {
    "soup.md": "# Potato soup\n\nPeel the potatoes, boil them in broth for twenty minutes, and add cream.\n",
    "bread.md": "# Rye bread\n\nFeed the sourdough in the evening. Bake it hot at first, then slowly.\n",
    "quotas.md": "# Fishing quotas\n\nA boat may land forty tonnes of herring in a season.\n",
}
CHINESE = {
    "磁盘.md": "# 磁盘空间不足\n\n删除不用的镜像和旧日志，然后扩容数据卷。\n",
    "证书.md": "# 证书过期\n\n在到期前三十天更新证书，并重启入口网关。\n",
    "备份.md": "# 数据库备份\n\n每小时做一次快照，并复制到另一个机房。\n",
}


class Crowded:
    """The bundled model with another geometry, as many models have it: any two texts have a cosine of `CROWD` or more."""

    shape = "crowded"
    english = False

    def __init__(self, model: Embedder) -> None:
        self._model = model

    def count(self, texts: Sequence[str]) -> list[int]:
        return self._model.count(texts)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._crowded(vector) for vector in self._model.embed_documents(texts)]

    def embed_query(self, text: str) -> list[float]:
        return self._crowded(self._model.embed_query(text))

    def _crowded(self, vector: list[float]) -> list[float]:
        return [math.sqrt(CROWD), *(math.sqrt(1 - CROWD) * value for value in vector)]


class InProcess:
    def load(self, data: bytes, name: str) -> ParsedDocument:
        return loaders.load(data, name)


class Shelf:
    """Three knowledge bases on real stores: runbooks and Chinese pages by the bundled model, recipes by `Crowded`."""

    def __init__(
        self, folder: Path, *, runbooks: dict[str, str] = RUNBOOKS, model: Callable[[Path], Embedder] = open_bundled
    ) -> None:
        bundled = model(folder / "model")
        models: dict[str, Embedder | Crowded] = {"bundled": bundled, "crowded": Crowded(bundled)}
        self._engine = open_database(folder / "records.db")
        self._catalogue = Catalog(self._engine)
        self._stores = Stores(
            vectors=ChromaVectors(folder / "vectors"),
            lexical=TantivyWords(folder / "words"),
            graph=LadybugGraph(folder / "graph", schema=DOCUMENTS),
        )
        self._ingest = Ingest(
            catalog=self._catalogue,
            stores=self._stores,
            originals=Originals(FolderBlobs(folder / "files")),
            reader=InProcess(),
            embedder_of=lambda base: models[self._catalogue.get(base).embedding],
            kinds=source_kinds(),
        )
        self._folder = folder / "pages"
        self.runbooks = self._filled("Runbooks", "bundled", runbooks)
        self.chinese = self._filled("手册", "bundled", CHINESE)
        self.recipes = self._filled("Recipes", "crowded", RECIPES)
        self.retriever = HybridRetriever(
            catalog=self._catalogue,
            vectors=self._stores.vectors,
            lexical=self._stores.lexical,
            graph=self._stores.graph,
            embedder_of=lambda base: models[self._catalogue.get(base).embedding],
        )

    def remove(self, base: str, name: str) -> None:
        """Delete a file of a knowledge base and sync."""
        (self._folder / base / name).unlink()
        self._sync(base)

    def close(self) -> None:
        self._stores.close()
        self._engine.dispose()

    def _filled(self, name: str, model: str, pages: dict[str, str]) -> str:
        base = self._catalogue.create(name, embedding=model).id
        (self._folder / base).mkdir(parents=True)
        for each, text in pages.items():
            (self._folder / base / each).write_text(text, "utf-8")
        self._sync(base)
        return base

    def _sync(self, base: str) -> None:
        run = f"{base}-{len(list(self._folder.rglob('*.md')))}"
        source = self._ingest.follow(base, "folder", str(self._folder / base)).id
        self._ingest.plan(run, base, kind="sync", argument=source)
        while self._ingest.step(run, base):
            pass
        self._ingest.finish(run, base, kind="sync", argument=source)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("shelf"))
    yield shelf
    shelf.close()


def titles(hits: Sequence[Hit]) -> list[str]:
    return list(dict.fromkeys(hit.title for hit in hits))


def scope(*bases: str) -> Scope:
    return Scope(principal="test", collections=bases)


def test_a_name_finds_the_page_about_it_before_one_that_mentions_it(shelf: Shelf) -> None:
    for query in ("KubePodCrashLooping", "We were paged for KubePodCrashLooping, what now?"):
        hits = shelf.retriever.search(query, scope=scope(shelf.runbooks), limit=5)
        assert titles(hits)[:2] == ["KubePodCrashLooping", "Notes for people on call"]


def test_other_words_of_the_same_meaning_find_the_page(shelf: Shelf) -> None:
    hits = shelf.retriever.search("running out of storage", scope=scope(shelf.runbooks), limit=3)
    assert titles(hits)[0] == "Free space on a node"


def test_chinese_is_found_by_its_words_under_a_model_that_reads_english(shelf: Shelf) -> None:
    for query, title in (
        ("证书什么时候要更新", "证书过期"),
        ("怎样备份数据库", "数据库备份"),
        ("镜像占满磁盘", "磁盘空间不足"),
    ):
        hits = shelf.retriever.search(query, scope=scope(shelf.chinese, shelf.runbooks), limit=3)
        assert titles(hits)[0] == title


def test_a_hit_carries_its_place_its_section_and_who_found_it(shelf: Shelf) -> None:
    hit = shelf.retriever.search("kubectl logs --previous", scope=scope(shelf.runbooks), limit=1)[0]
    assert hit.source_uri.endswith("KubePodCrashLooping.md")
    assert hit.heading_path[0] == hit.title == "KubePodCrashLooping"
    assert hit.text in hit.context
    assert hit.location.line_start is not None
    assert {by.index for by in hit.found_by} >= {"vector", "lexical"}
    assert 0 < hit.score <= 1


def test_what_is_linked_from_the_best_page_is_found_through_the_graph(shelf: Shelf) -> None:
    hits = shelf.retriever.search("KubePodCrashLooping", scope=scope(shelf.runbooks), limit=20, mode="graph")
    assert set(titles(hits)[:2]) == {"KubePodCrashLooping", "Notes for people on call"}
    assert "Quotas of a namespace" in titles(hits)


@pytest.mark.parametrize("mode", ["hybrid", "vector", "lexical", "graph"])
def test_nothing_outside_the_scope_is_found(shelf: Shelf, mode: str) -> None:
    hits = shelf.retriever.search("quotas", scope=scope(shelf.recipes), limit=20, mode=mode)
    assert {hit.collection for hit in hits} <= {shelf.recipes}
    assert shelf.retriever.search("quotas", scope=scope(), limit=20, mode=mode) == []


@pytest.mark.parametrize("mode", ["hybrid", "vector"])
@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("How many pods may run in a namespace?", "Quotas of a namespace"),
        ("How long do potatoes have to cook?", "Potato soup"),
        ("making a copy of the cluster's key-value store", "Backing up etcd"),
        ("how is bread baked", "Rye bread"),
    ],
)
def test_two_embedding_models_in_one_scope_compete_on_equal_terms(
    shelf: Shelf, query: str, title: str, mode: str
) -> None:
    """The recipes' model gives every text a higher cosine than the runbooks' gives the right one."""
    for bases in ((shelf.runbooks, shelf.recipes), (shelf.recipes, shelf.runbooks)):
        hits = shelf.retriever.search(query, scope=scope(*bases), limit=5, mode=mode)
        assert titles(hits)[0] == title
        assert all(0 <= hit.score <= 1 for hit in hits)


def test_asking_for_more_hits_leaves_the_first_ones_in_their_order(shelf: Shelf) -> None:
    asked = scope(shelf.runbooks, shelf.chinese)
    few = shelf.retriever.search("restore a snapshot", scope=asked, limit=3)
    many = shelf.retriever.search("restore a snapshot", scope=asked, limit=90)
    assert [hit.ref for hit in many[:3]] == [hit.ref for hit in few]


def test_the_score_of_one_index_is_its_own(shelf: Shelf) -> None:
    """For vectors the cosine; for the others the share of the best hit's score."""
    asked = {"query": "quotas of a namespace", "scope": scope(shelf.runbooks), "limit": 20}
    for hit in shelf.retriever.search(**asked, mode="vector"):
        assert hit.score == pytest.approx(max(0.0, hit.found_by[0].score), abs=1e-4)
    assert shelf.retriever.search(**asked, mode="lexical")[0].score == 1.0
    assert shelf.retriever.search(**asked, mode="graph")[0].score == 1.0


def test_a_threshold_keeps_only_hits_that_are_as_sure(shelf: Shelf) -> None:
    every = shelf.retriever.search("quotas of a namespace", scope=scope(shelf.runbooks), limit=20)
    middle = every[len(every) // 2].score
    kept = shelf.retriever.search(
        "quotas of a namespace", scope=scope(shelf.runbooks), limit=20, score_threshold=middle
    )
    assert [hit.ref for hit in kept] == [hit.ref for hit in every if hit.score >= middle]
    assert len(kept) < len(every)


def test_an_empty_query_is_refused_and_a_very_long_one_is_not(shelf: Shelf) -> None:
    with pytest.raises(BadQuestion):
        shelf.retriever.search("  \n", scope=scope(shelf.runbooks), limit=5)
    long = "members of etcd restored from a snapshot " * 1000
    assert titles(shelf.retriever.search(long, scope=scope(shelf.runbooks), limit=5))[0] == "Backing up etcd"


def test_a_query_that_no_word_matches_still_gives_the_nearest(shelf: Shelf) -> None:
    hits = shelf.retriever.search("zzzqqq", scope=scope(shelf.runbooks), limit=3)
    assert hits
    assert all({by.index for by in hit.found_by} <= {"vector", "graph"} for hit in hits)


def test_a_deleted_page_is_found_no_more(tmp_path: Path) -> None:
    own = Shelf(tmp_path)
    try:
        before = own.retriever.search("etcd snapshot", scope=scope(own.runbooks), limit=5)
        own.remove(own.runbooks, "backup.md")
        after = own.retriever.search("etcd snapshot", scope=scope(own.runbooks), limit=5)
    finally:
        own.close()
    assert titles(before)[0] == "Backing up etcd"
    assert after
    assert "Backing up etcd" not in titles(after)


CROWD_OF_PAGES = {
    **{
        f"hosts-{number}.md": f"# Host db-prod-{number}\n\nWhat runs on it: the ledger database of zone {number}.\n"
        for number in range(10, 40)
    },
    **{
        f"copy-{number}.md": "# Rotate the key\n\nHow to rotate the key: run `keyctl rotate`.\n" for number in range(70)
    },
    "other.md": "# Keys of the gate\n\nThe key of the gate is rotated by hand.\n",
    "backup-zone.md": "# Nightly copy\n\nscp dump.sql ops@db-prod-07:/var/backups\n",
}
"""Copies of one page beside another one, and hosts of which one stands inside of an address."""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path_factory.mktemp("crowd"), runbooks=CROWD_OF_PAGES, model=open_fast)
    yield shelf
    shelf.close()


def test_a_rare_name_is_never_outvoted(crowd: Shelf) -> None:
    scope = Scope(principal="test", collections=(crowd.runbooks,))
    for query in ("What runs on db-prod-07?", "db-prod-07", "ledger database on db-prod-07 in zone 12"):
        hits = crowd.retriever.search(query, scope=scope, limit=3)
        assert hits[0].source_uri.endswith("backup-zone.md")
        assert hits[0].score >= hits[1].score


def test_copies_of_a_passage_are_one_hit(crowd: Shelf) -> None:
    scope = Scope(principal="test", collections=(crowd.runbooks,))
    hits = crowd.retriever.search("how to rotate the key", scope=scope, limit=4)
    assert len(hits) == 4
    assert sum("keyctl" in hit.text for hit in hits) == 1
    assert any(hit.source_uri.endswith("other.md") for hit in hits)
    copied = next(hit for hit in hits if "keyctl" in hit.text)
    assert len(copied.also_in) >= 8
