"""tantivy as a lexical index, and the words that it indexes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from contracts.chunks import chunk
from contracts.lexical_contract import HERE, LexicalIndexContract, found
from stores.conftest import NoRoom

from devops_chatbot.errors import StoreUnavailable
from knowledge.stores.lexical.tantivy import TantivyWords
from knowledge.text import tokens as analysis


@pytest.fixture
def words(tmp_path: Path) -> Iterator[TantivyWords]:
    index = TantivyWords(tmp_path / "words")
    yield index
    index.close()


class TestTantivy(LexicalIndexContract):
    pass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Restart THE pod.", "restart the pod"),
        ("KubePodCrashLooping", "kubepodcrashlooping kube pod crash looping"),
        ("HTTPServer", "httpserver http server"),
        ("http_requests_total", "http_requests_total http requests total"),
        ("spec.maxSurge", "spec.maxsurge spec maxsurge max surge"),
        ("/etc/kubernetes", "etc/kubernetes etc kubernetes"),
        ("__init__", "init"),
        ("don't", "don t"),
        ("Überwachung café", "überwachung café"),
        ("磁盘满", "磁盘 盘满"),
        ("锁", "锁"),
        ("CPU使用率和Pod", "cpu 使用 用率 率和 pod"),
        ("ＣＰＵ 100％", "cpu 100"),
        ("データベース", "デー ータ タベ ベー ース"),
        ("一、二。三", "一 二 三"),
        ("", ""),
    ],
)
def test_words_of_a_text(text: str, expected: str) -> None:
    assert analysis.words(text) == expected.split()


def test_a_long_word_is_cut() -> None:
    assert max(map(len, analysis.words("x" * 5000))) == analysis.LONGEST


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    index = TantivyWords(tmp_path / "words")
    assert found(index, "pod") == []
    assert not (tmp_path / "words").exists()


def test_another_start_finds_what_was_written_and_dropping_frees_the_files(tmp_path: Path) -> None:
    TantivyWords(tmp_path).add("kbase1", [chunk(1)])
    index = TantivyWords(tmp_path)
    assert found(index, "pod") == [chunk(1).id]
    index.drop("kbase1")
    assert list(tmp_path.iterdir()) == []


def test_a_drop_that_was_cut_off_is_finished_by_the_next(tmp_path: Path) -> None:
    index = TantivyWords(tmp_path)
    index.add("kbase1", [chunk(1)])
    (tmp_path / "kbase1").rename(tmp_path / ".dropped-kbase1")
    fresh = TantivyWords(tmp_path)
    assert fresh.ids("kbase1") == set()
    fresh.add("kbase1", [chunk(2)])
    fresh.drop("kbase1")
    assert list(tmp_path.iterdir()) == []


def test_an_index_whose_first_write_was_cut_off_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "kbase1").mkdir()
    (tmp_path / "kbase1" / ".tantivy-writer.lock").write_bytes(b"")
    (tmp_path / "kbase1" / "0123456789abcdef0123456789abcdef.store").write_bytes(b"half")
    index = TantivyWords(tmp_path)
    assert index.ids("kbase1") == set()
    index.add("kbase1", [chunk(1)])
    assert found(index, "pod") == [chunk(1).id]


@pytest.mark.parametrize("damage", ["meta", "segments"])
def test_a_damaged_index_is_told_and_can_be_dropped(tmp_path: Path, damage: str) -> None:
    TantivyWords(tmp_path).add("kbase1", [chunk(1)])
    for path in (tmp_path / "kbase1").iterdir():
        if path.name == "meta.json" and damage == "meta":
            path.write_text(json.dumps({"segments": 1}))
        elif path.suffix in (".idx", ".store", ".term") and damage == "segments":
            path.write_bytes(b"junk")
    index = TantivyWords(tmp_path)
    with pytest.raises(StoreUnavailable, match="delete the knowledge base"):
        index.search("pod", scope=HERE, limit=5)
    with pytest.raises(StoreUnavailable, match="delete the knowledge base"):
        index.add("kbase1", [chunk(2)])
    index.drop("kbase1")
    index.add("kbase1", [chunk(3)])
    assert found(index, "pod") == [chunk(3).id]


def test_files_that_a_killed_commit_left_are_in_nobodys_way(tmp_path: Path) -> None:
    """A process killed between the files of a commit and its note: the next commit gives its files the same names."""
    index = TantivyWords(tmp_path)
    index.add("kbase1", [chunk(1), chunk(2)])
    index.close()
    folder = tmp_path / "kbase1"
    meta, managed = json.loads((folder / "meta.json").read_text()), folder / ".managed.json"
    segment = meta["segments"][0]["segment_id"].replace("-", "")
    left = [f"{segment}.{meta['opstamp'] + number}.del" for number in range(1, 10)]
    for name in left:
        (folder / name).write_bytes(b"half")
    managed.write_text(json.dumps([*json.loads(managed.read_text()), *left]))
    again = TantivyWords(tmp_path)
    again.add("kbase1", [chunk(1), chunk(3)])
    assert again.ids("kbase1") == {chunk(number).id for number in (1, 2, 3)}


def test_a_second_writer_is_told_that_the_folder_is_in_use(tmp_path: Path) -> None:
    import tantivy

    index = TantivyWords(tmp_path)
    index.add("kbase1", [chunk(1)])
    other = tantivy.Index.open(str(tmp_path / "kbase1")).writer(heap_size=15_000_000, num_threads=1)
    with pytest.raises(StoreUnavailable, match="Another program"):
        index.add("kbase1", [chunk(2)])
    other.rollback()
    del other
    index.add("kbase1", [chunk(2)])
    assert len(index.ids("kbase1")) == 2


def test_a_write_for_which_there_is_no_room_leaves_what_was_there(tmp_path: Path, no_room: NoRoom) -> None:
    index = TantivyWords(tmp_path)
    index.add("kbase1", [chunk(1)])
    many = [chunk(number, f"word{number} " * 50) for number in range(2, 500)]
    with no_room(), pytest.raises(StoreUnavailable, match="word index"):
        index.add("kbase1", many)
    assert index.ids("kbase1") == {chunk(1).id}
    index.add("kbase1", many)
    assert len(index.ids("kbase1")) == 499
