"""Chroma as a vector store."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from contracts.chunks import chunk, unit_vectors, version
from contracts.vector_contract import EAST, HERE, VectorStoreContract
from full_disk import mounted
from stores.conftest import NoRoom

from devops_chatbot.errors import StoreUnavailable
from knowledge.stores.vector.chroma import ChromaVectors


@pytest.fixture
def vectors(tmp_path: Path) -> Iterator[ChromaVectors]:
    store = ChromaVectors(tmp_path / "vectors")
    yield store
    store.close()


class TestChroma(VectorStoreContract):
    pass


def test_nothing_is_made_before_the_first_use(tmp_path: Path) -> None:
    ChromaVectors(tmp_path / "vectors").close()
    assert not (tmp_path / "vectors").exists()


def test_another_process_start_finds_what_was_written(tmp_path: Path) -> None:
    first = ChromaVectors(tmp_path)
    first.add("kbase1", [chunk(1)], [EAST])
    second = ChromaVectors(tmp_path)
    assert second.ids("kbase1") == {chunk(1).id}
    first.close()
    assert second.search(EAST, scope=HERE, limit=1)[0].chunk_id == chunk(1).id
    second.close()


def test_more_chunks_than_chroma_takes_at_once(vectors: ChromaVectors) -> None:
    chunks, matrix = [chunk(number) for number in range(6000)], unit_vectors(6000, 4)
    vectors.add("kbase1", chunks, matrix)
    ids = [each.id for each in chunks]
    assert len(vectors.vectors("kbase1", ids)) == 6000
    assert len(vectors.search(matrix[0], scope=HERE, limit=200)) == 200
    vectors.delete([version(number) for number in range(6000)])
    assert vectors.ids("kbase1") == set()


def test_dropping_a_knowledge_base_frees_its_files(tmp_path: Path, vectors: ChromaVectors) -> None:
    for name in ("kbase1", "kbase2"):
        vectors.add(name, [chunk(number) for number in range(1100)], unit_vectors(1100, 8))
    folders = {path.name for path in (tmp_path / "vectors").iterdir() if path.is_dir()}
    assert len(folders) == 2
    vectors.drop("kbase1")
    left = {path.name for path in (tmp_path / "vectors").iterdir() if path.is_dir()}
    assert len(left) == 1
    assert left < folders
    assert len(vectors.ids("kbase2")) == 1100


def test_damaged_records_are_told_every_time(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(b"this is no database" * 500)
    store = ChromaVectors(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="backup"):
            store.search(EAST, scope=HERE, limit=1)
    store.close()
    (tmp_path / "chroma.sqlite3").unlink()  # put right while the program runs
    assert store.ids("kbase1") == set()
    store.close()


def test_a_damaged_index_is_told_and_can_be_dropped(tmp_path: Path) -> None:
    store = ChromaVectors(tmp_path)
    store.add("kbase1", [chunk(number) for number in range(1100)], unit_vectors(1100, 8))
    store.close()
    for path in tmp_path.rglob("*.bin"):
        path.write_bytes(b"junk")
    with pytest.raises(StoreUnavailable, match="delete the knowledge base"):
        store.search(unit_vectors(1, 8)[0], scope=HERE, limit=1)
    store.drop("kbase1")
    store.add("kbase1", [chunk(1)], [EAST])
    assert store.search(EAST, scope=HERE, limit=1)[0].chunk_id == chunk(1).id
    store.close()


def test_a_path_that_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="vector store"):
        ChromaVectors(tmp_path / "file").ids("kbase1")


def test_a_write_for_which_there_is_no_room_leaves_what_was_there(tmp_path: Path, no_room: NoRoom) -> None:
    store = ChromaVectors(tmp_path)
    matrix = unit_vectors(1000, 64)
    store.add("kbase1", [chunk(0)], matrix[:1])
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with contextlib.suppress(StoreUnavailable):
                assert len(store.search(matrix[0], scope=HERE, limit=1)) == 1

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            for _ in range(5):  # without being opened anew, Chroma waits for ever after about every third fault
                with no_room(), pytest.raises(StoreUnavailable, match="vector store"):
                    store.add("kbase1", [chunk(number) for number in range(1, 1000)], matrix[1:])
                assert store.ids("kbase1") == {chunk(0).id}
        finally:
            done.set()
        reader.result()
    store.add("kbase1", [chunk(number) for number in range(1, 1000)], matrix[1:])
    assert len(store.ids("kbase1")) == 1000
    store.close()


@pytest.mark.parametrize("name", ["index_metadata.pickle", "data_level0.bin", "length.bin"])
def test_files_that_were_cut_off_are_noticed_and_can_be_dropped(tmp_path: Path, name: str) -> None:
    store = ChromaVectors(tmp_path)
    for base in ("kbase1", "kbase2"):
        store.add(base, [chunk(number) for number in range(1100)], unit_vectors(1100, 8))
        assert len(store.ids(base)) == 1100
    assert store.damaged() == []
    store.close()
    file = sorted(tmp_path.glob(f"*/{name}"))[0]
    file.write_bytes(file.read_bytes()[:-50])
    again = ChromaVectors(tmp_path)
    (broken,) = again.damaged()
    again.drop(broken)
    assert again.damaged() == []
    assert {base: len(again.ids(base)) for base in ("kbase1", "kbase2")} == {"kbase1": 1100, "kbase2": 1100} | {
        broken: 0
    }
    again.close()


@pytest.mark.service
def test_nothing_is_added_to_a_disk_that_is_nearly_full(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", megabytes=32) as disk:
        store = ChromaVectors(disk / "vectors")
        store.add("kbase1", [chunk(number) for number in range(1100)], unit_vectors(1100, 8))
        (disk / "ballast").write_bytes(bytes(18 << 20))
        with pytest.raises(StoreUnavailable, match="full"):
            store.add("kbase1", [chunk(number) for number in range(1100, 2200)], unit_vectors(1100, 8))
        assert len(store.search(unit_vectors(1, 8)[0], scope=HERE, limit=5)) == 5
        (disk / "ballast").unlink()
        store.add("kbase1", [chunk(number) for number in range(1100, 2200)], unit_vectors(1100, 8))
        assert len(store.ids("kbase1")) == 2200
        store.close()
