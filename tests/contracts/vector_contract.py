"""What every vector store does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from contracts.chunks import chunk, unit_vectors, version

from devops_chatbot.errors import ConfigError
from knowledge.model import Scope
from knowledge.stores.vector import VectorStore

HERE = Scope(principal="test", collections=("kbase1",))
EAST, NORTH, NORTH_EAST = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.8, 0.6, 0.0]


class VectorStoreContract:
    """A backend adopts it with a fixture `vectors`: an empty store."""

    def test_the_nearest_come_first_with_their_cosine(self, vectors: VectorStore) -> None:
        chunks = [chunk(number) for number in range(3)]
        vectors.add("kbase1", chunks, [EAST, NORTH, NORTH_EAST])
        found = vectors.search(EAST, scope=HERE, limit=10)
        assert [match.chunk_id for match in found] == [chunks[0].id, chunks[2].id, chunks[1].id]
        assert [match.score for match in found] == pytest.approx([1.0, 0.8, 0.0], abs=1e-4)

    def test_a_limit_is_kept(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(number) for number in range(3)], [EAST, NORTH, NORTH_EAST])
        assert len(vectors.search(EAST, scope=HERE, limit=2)) == 2
        assert vectors.search(EAST, scope=HERE, limit=0) == []

    def test_only_what_is_in_scope_is_found(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1)], [EAST])
        vectors.add("kbase2", [chunk(2)], [NORTH])
        both = Scope(principal="test", collections=("kbase1", "kbase2", "nothing", "kbase1"))
        assert [match.chunk_id for match in vectors.search(NORTH, scope=both, limit=9)] == [chunk(2).id, chunk(1).id]
        assert [match.chunk_id for match in vectors.search(NORTH, scope=HERE, limit=9)] == [chunk(1).id]
        assert vectors.search(NORTH, scope=Scope(principal="test"), limit=9) == []

    def test_a_collection_that_nothing_was_added_to_is_empty(self, vectors: VectorStore) -> None:
        assert vectors.search(EAST, scope=HERE, limit=5) == []
        assert vectors.ids("kbase1") == set()
        assert vectors.vectors("kbase1", [chunk(1).id]) == {}
        vectors.delete([version(1)])
        vectors.drop("kbase1")
        vectors.add("kbase1", [], [])
        assert vectors.ids("kbase1") == set()

    def test_a_second_add_overwrites(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1)], [EAST])
        vectors.add("kbase1", [chunk(1)], [NORTH])
        assert vectors.ids("kbase1") == {chunk(1).id}
        assert vectors.search(NORTH, scope=HERE, limit=5)[0].score == pytest.approx(1.0, abs=1e-4)

    def test_stored_vectors_come_back(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1), chunk(2)], [EAST, NORTH_EAST])
        found = vectors.vectors("kbase1", [chunk(2).id, "unknown", chunk(2).id])
        assert list(found) == [chunk(2).id]
        assert found[chunk(2).id] == pytest.approx(NORTH_EAST, abs=1e-6)

    def test_removed_chunks_are_gone(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1), chunk(2)], [EAST, NORTH])
        vectors.delete([version(1), version(77)])
        vectors.delete([])
        assert vectors.ids("kbase1") == {chunk(2).id}
        assert [match.chunk_id for match in vectors.search(EAST, scope=HERE, limit=5)] == [chunk(2).id]

    def test_all_that_is_left_is_found_after_most_was_removed(self, vectors: VectorStore) -> None:
        chunks, matrix = [chunk(number) for number in range(1500)], unit_vectors(1500, 16)
        vectors.add("kbase1", chunks, matrix)
        vectors.delete([version(number) for number in range(1460)])
        found = vectors.search(matrix[3], scope=HERE, limit=100)
        assert {match.chunk_id for match in found} == {each.id for each in chunks[1460:]}

    def test_a_dropped_collection_is_empty_and_can_begin_anew(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1)], [EAST])
        vectors.add("kbase2", [chunk(2)], [EAST])
        vectors.drop("kbase1")
        assert vectors.ids("kbase1") == set()
        assert vectors.search(EAST, scope=HERE, limit=5) == []
        assert vectors.ids("kbase2") == {chunk(2).id}
        vectors.add("kbase1", [chunk(3)], [[1.0, 0.0]])  # another model, so another length
        assert vectors.ids("kbase1") == {chunk(3).id}

    def test_vectors_of_another_length_are_a_mistake_in_the_settings(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1)], [EAST])
        with pytest.raises(ConfigError, match="embedding model"):
            vectors.add("kbase1", [chunk(2)], [[1.0, 0.0]])
        with pytest.raises(ConfigError, match="embedding model"):
            vectors.search([1.0, 0.0], scope=HERE, limit=5)
        assert vectors.ids("kbase1") == {chunk(1).id}

    def test_readers_beside_a_writer_see_whole_chunks_and_no_error(self, vectors: VectorStore) -> None:
        matrix = unit_vectors(400, 16)
        vectors.add("kbase1", [chunk(0)], matrix[:1])
        done = threading.Event()

        def read() -> int:
            searches = 0
            while not done.is_set() or not searches:
                found = vectors.search(matrix[0], scope=HERE, limit=5)
                assert found[0].chunk_id == chunk(0).id
                searches += 1
            return searches

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            try:
                for start in range(1, 400, 57):
                    vectors.add(
                        "kbase1", [chunk(n) for n in range(start, min(start + 57, 400))], matrix[start : start + 57]
                    )
            finally:
                done.set()
            assert all(reader.result() for reader in readers)
        assert len(vectors.ids("kbase1")) == 400

    def test_it_can_be_used_after_it_was_closed(self, vectors: VectorStore) -> None:
        vectors.add("kbase1", [chunk(1)], [EAST])
        vectors.close()
        assert vectors.ids("kbase1") == {chunk(1).id}
        vectors.close()
        vectors.close()
