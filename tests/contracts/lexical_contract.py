"""What every lexical index does."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from contracts.chunks import chunk, version

from knowledge.model import Scope
from knowledge.stores.lexical import LexicalIndex

HERE = Scope(principal="test", collections=("kbase1",))


def found(index: LexicalIndex, text: str, *, scope: Scope = HERE, limit: int = 10) -> list[str]:
    return [match.chunk_id for match in index.search(text, scope=scope, limit=limit)]


class LexicalIndexContract:
    """A backend adopts it with a fixture `words`: an empty index."""

    def test_rarer_words_weigh_more_and_the_best_comes_first(self, words: LexicalIndex) -> None:
        words.add(
            "kbase1",
            [
                chunk(1, "The pod restarts again and again."),
                chunk(2, "The pod is evicted because of disk pressure on the node."),
                chunk(3, "The pod waits for a volume."),
                chunk(4, "Nothing that fits."),
            ],
        )
        matches = words.search("pod evicted", scope=HERE, limit=10)
        assert matches[0].chunk_id == chunk(2).id
        assert {match.chunk_id for match in matches} == {chunk(1).id, chunk(2).id, chunk(3).id}
        assert matches[0].score > matches[1].score > 0

    @pytest.mark.parametrize(
        "query",
        [
            "KubePodCrashLooping",
            "kubepodcrashlooping",
            "crash looping",
            "node_filesystem_avail_bytes",
            "filesystem avail",
            "kube-system/coredns",
            "coredns",
            "10.96.0.10",
        ],
    )
    def test_identifiers_are_found_whole_and_by_their_parts(self, words: LexicalIndex, query: str) -> None:
        words.add(
            "kbase1",
            [
                chunk(1, "Nothing of the kind here."),
                chunk(
                    2,
                    "KubePodCrashLooping fires; see node_filesystem_avail_bytes of kube-system/coredns at 10.96.0.10.",
                ),
            ],
        )
        assert found(words, query) == [chunk(2).id]

    def test_an_identifier_as_written_beats_its_parts(self, words: LexicalIndex) -> None:
        filler = "A page about Kubernetes and what to do when something is wrong."
        words.add(
            "kbase1",
            [
                chunk(1, "The pod is crash looping. The kube pod was crash looping in a kube cluster, looping pod."),
                chunk(2, "KubePodCrashLooping: see what the container says."),
                *(chunk(number, filler) for number in range(3, 9)),
            ],
        )
        assert found(words, "KubePodCrashLooping")[0] == chunk(2).id

    @pytest.mark.parametrize(
        "query", ["磁盘空间", "磁盘空间不足怎么办？", "空间", "CPU使用率", "使用率过高", "锁", "ｃｐｕ"]
    )
    def test_chinese_is_found_without_spaces_and_beside_other_writing(self, words: LexicalIndex, query: str) -> None:
        words.add(
            "kbase1",
            [chunk(1, "重启服务之后检查日志。"), chunk(2, "节点磁盘空间不足，CPU使用率过高，数据库锁等待超时。")],
        )
        assert found(words, query)[:1] == [chunk(2).id]

    def test_title_and_headings_are_searched_too(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1, "Look at it.", title="etcd", heading_path=("Quota exceeded",)), chunk(2)])
        assert found(words, "etcd quota") == [chunk(1).id]

    @pytest.mark.parametrize("query", ["", " \n", "?!", "'\"\\ AND (", "+-*~^:", "words:x OR id:1", "\x00", "😀"])
    def test_no_query_is_a_syntax_error(self, words: LexicalIndex, query: str) -> None:
        words.add("kbase1", [chunk(1)])
        assert found(words, query) == []

    def test_a_very_long_query_works(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1), chunk(2, "unlike")])
        assert found(words, "restart " + " ".join(f"word{number}" for number in range(5000))) == [chunk(1).id]

    def test_odd_texts_are_taken(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1, ""), chunk(2, "\x00\ufffd"), chunk(3, "a" * 100_000), chunk(4, "🚀 " * 10)])
        assert len(words.ids("kbase1")) == 4

    def test_a_limit_is_kept(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(number) for number in range(5)])
        assert len(found(words, "restart", limit=3)) == 3
        assert found(words, "restart", limit=0) == []

    def test_only_what_is_in_scope_is_found(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1)])
        words.add("kbase2", [chunk(2)])
        both = Scope(principal="test", collections=("kbase1", "kbase2", "nothing", "kbase1"))
        assert sorted(found(words, "pod", scope=both)) == [chunk(1).id, chunk(2).id]
        assert found(words, "pod") == [chunk(1).id]
        assert found(words, "pod", scope=Scope(principal="test")) == []

    def test_a_collection_that_nothing_was_added_to_is_empty(self, words: LexicalIndex) -> None:
        assert found(words, "pod") == []
        assert words.ids("kbase1") == set()
        words.delete([version(1)])
        words.drop("kbase1")
        words.add("kbase1", [])
        assert words.ids("kbase1") == set()

    def test_a_second_add_overwrites(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1, "old words")])
        words.add("kbase1", [chunk(1, "new words")])
        assert words.ids("kbase1") == {chunk(1).id}
        assert found(words, "old") == []
        assert found(words, "words") == [chunk(1).id]

    def test_removed_chunks_are_gone(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1), chunk(2)])
        words.delete([version(1), version(77)])
        words.delete([])
        assert words.ids("kbase1") == {chunk(2).id}
        assert found(words, "pod") == [chunk(2).id]
        words.delete([version(2)])
        assert found(words, "pod") == []
        assert words.ids("kbase1") == set()

    def test_a_dropped_collection_is_empty_and_can_begin_anew(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1)])
        words.add("kbase2", [chunk(2)])
        for number in (3, 4):
            words.drop("kbase1")
            assert words.ids("kbase1") == set()
            assert found(words, "pod") == []
            words.add("kbase1", [chunk(number)])
            assert words.ids("kbase1") == {chunk(number).id}
        assert words.ids("kbase2") == {chunk(2).id}

    def test_readers_beside_a_writer_see_no_error(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(0, "lighthouse")])
        done = threading.Event()

        def read() -> int:
            searches = 0
            while not done.is_set() or not searches:
                assert found(words, "lighthouse")[:1] == [chunk(0).id]
                searches += 1
            return searches

        with ThreadPoolExecutor(3) as pool:
            readers = [pool.submit(read) for _ in range(3)]
            try:
                for number in range(1, 9):
                    words.add("kbase1", [chunk(number)])
            finally:
                done.set()
            assert all(reader.result() for reader in readers)
        assert len(words.ids("kbase1")) == 9

    def test_two_writers_wait_for_each_other(self, words: LexicalIndex) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: words.add("kbase1", [chunk(number)]), range(8)))
        assert len(words.ids("kbase1")) == 8

    def test_it_can_be_used_after_it_was_closed(self, words: LexicalIndex) -> None:
        words.add("kbase1", [chunk(1)])
        words.close()
        assert found(words, "pod") == [chunk(1).id]
        words.close()
        words.close()

    @pytest.mark.parametrize(
        "text",
        [
            "scp dump.sql ops@db-prod-07:/var/backups",
            "db-prod-07.eu.example.com",
            "db-prod-07_backup",
            "https://db-prod-07:8443/x",
            "(db-prod-07)",
            "host=db-prod-07,port=1",
        ],
    )
    def test_a_name_inside_of_another_one_is_found_by_itself(self, words: LexicalIndex, text: str) -> None:
        others = [chunk(number, f"db-prod-{number:02} and db prod 07 run the ledger.") for number in range(10, 30)]
        words.add("kbase1", [*others, chunk(1, f"Once a night: {text}")])
        assert found(words, "db-prod-07")[0] == chunk(1).id
        assert words.having("db-prod-07", scope=HERE, limit=5) == [chunk(1).id]

    def test_an_address_inside_of_a_network_or_before_a_port_is_found(self, words: LexicalIndex) -> None:
        words.add(
            "kbase1", [chunk(1, "The net is 10.2.3.4/24."), chunk(2, "Ask 10.2.3.4:8080."), chunk(3, "10.2.3.5 or 4.")]
        )
        assert set(words.having("10.2.3.4", scope=HERE, limit=5)) == {chunk(1).id, chunk(2).id}
