"""What every embedding model does."""

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from knowledge.embed import Embedder

TEXTS = ["Restart the pod.", "", "磁盘空间不足", "A much longer text about etcd. " * 40, "restart the pod again", "😀"]


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


class EmbedderContract:
    """A model adopts it with a fixture `embedder`."""

    def test_vectors_have_the_length_that_it_says_and_unit_norm(self, embedder: Embedder) -> None:
        for vector in embedder.embed_documents(["Restart the pod.", "Add a disk."]):
            assert len(vector) == embedder.dimension
            assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-4)
            assert all(type(value) is float for value in vector)

    def test_no_texts_give_no_vectors(self, embedder: Embedder) -> None:
        assert embedder.embed_documents([]) == []
        assert embedder.count([]) == []

    def test_vectors_keep_the_order_of_their_texts_and_do_not_depend_on_company(self, embedder: Embedder) -> None:
        together = embedder.embed_documents(TEXTS * 30)
        for number, text in enumerate(TEXTS):
            alone = embedder.embed_documents([text])[0]
            assert len(alone) == embedder.dimension
            if text:
                assert cosine(together[number], alone) > 0.9999
                assert cosine(together[number + 29 * len(TEXTS)], alone) > 0.9999

    def test_a_query_is_nearest_to_what_it_asks_for(self, embedder: Embedder) -> None:
        pod, disk = embedder.embed_documents(["restart the pod", "the disk of the database is full"])
        query = embedder.embed_query("restart the pod")
        assert cosine(query, pod) > cosine(query, disk) + 0.02

    def test_a_text_beyond_its_limit_is_cut(self, embedder: Embedder) -> None:
        text = "word " * (embedder.max_tokens * 3)
        assert len(embedder.embed_query(text)) == embedder.dimension
        assert embedder.count([text])[0] > embedder.max_tokens

    def test_tokens_are_counted_text_by_text(self, embedder: Embedder) -> None:
        short, longer, chinese = embedder.count(["one", "one two three four five six", "磁盘空间不足"])
        assert 0 < short < longer
        assert chinese >= 3

    def test_it_names_itself(self, embedder: Embedder) -> None:
        assert embedder.name
        assert embedder.shape
        assert embedder.max_tokens > 0
        assert isinstance(embedder.english, bool)

    def test_threads_share_it(self, embedder: Embedder) -> None:
        expected = embedder.embed_documents(TEXTS[:3])
        with ThreadPoolExecutor(4) as pool:
            counts = pool.map(lambda _: embedder.count(TEXTS), range(8))
            for vectors in pool.map(lambda _: embedder.embed_documents(TEXTS[:3]), range(8)):
                assert all(
                    cosine(one, other) > 0.9999
                    for one, other, text in zip(vectors, expected, TEXTS, strict=False)
                    if text
                )
            assert len({tuple(count) for count in counts}) == 1
