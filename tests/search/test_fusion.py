"""How scores of several indexes become one ranking."""

import pytest

from knowledge import fusion
from knowledge.language import foreign_share, understanding
from knowledge.model import Match
from knowledge.spoken import in_words
from knowledge.wording import Wording, stem


def matches(*pairs: tuple[str, float]) -> list[Match]:
    return [Match(chunk_id=chunk_id, score=score) for chunk_id, score in pairs]


def test_vectors_that_do_not_understand_the_query_only_break_ties() -> None:
    legs = {
        "lexical": matches(("a", 9.0), ("b", 8.0), ("c", 8.0)),
        "vector": matches(("z", 0.9), ("c", 0.8), ("b", 0.7)),
    }
    share = fusion.vectors_share(0.0, lexical=True, vector=True)
    found = fusion.ranked(fusion.combined(legs, share=share), legs=legs)
    assert [one.chunk_id for one in found] == ["a", "c", "b", "z"]


def test_an_index_that_finds_nothing_leaves_the_other_its_order() -> None:
    legs = {"lexical": matches(), "vector": matches(("a", 0.9), ("b", 0.5))}
    share = fusion.vectors_share(1.0, lexical=False, vector=True)
    found = fusion.ranked(fusion.combined(legs, share=share), legs=legs)
    assert [one.chunk_id for one in found] == ["a", "b"]
    assert 1.0 >= found[0].score > found[1].score >= 0.0


def test_a_hit_says_which_index_found_it_at_which_rank() -> None:
    legs = {"lexical": matches(("a", 2.0), ("b", 1.0)), "vector": matches(("b", 0.9))}
    found = {one.chunk_id: one.found_by for one in fusion.ranked(fusion.combined(legs, share=0.4), legs=legs)}
    assert [(by.index, by.rank) for by in found["b"]] == [("lexical", 2), ("vector", 1)]


def test_a_rare_name_weighs_more_than_one_that_everything_mentions() -> None:
    bonus = fusion.naming_bonus(matches(("rare", 1.0), ("common", 1 / 2000)), titled={})
    assert bonus["rare"] > 0.9
    assert bonus["common"] < 0.02


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("KubePodCrashLooping > Meaning", "Kube Pod Crash Looping > Meaning"),
        ("NodeRAIDDiskFailure", "Node RAID Disk Failure"),
        ("Amazon DynamoDB and SageMaker", "Amazon DynamoDB and SageMaker"),
        ("kube_pod_status", "kube_pod_status"),
    ],
)
def test_identifiers_become_words_and_brands_stay(text: str, expected: str) -> None:
    assert in_words(text) == expected


@pytest.mark.parametrize(
    ("text", "share"), [("Why does it fail?", 0.0), ("磁盘满了", 1.0), ("", 0.0), ("KubePodCrashLooping 告警", 0.5)]
)
def test_the_share_of_a_query_that_is_not_latin(text: str, share: float) -> None:
    assert foreign_share(text) == pytest.approx(share)


class _OneHot:
    """Gives the two sentences of a pair the same vector (`knows`), or all sentences the same."""

    def __init__(self, *, knows: bool) -> None:
        self._knows = knows

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        pairs = len(texts) // 2
        return [[float(not self._knows or each == index // 2) for each in range(pairs)] for index in range(len(texts))]


def test_a_model_is_examined_for_what_it_understands() -> None:
    assert understanding(_OneHot(knows=True)) == 1.0
    assert understanding(_OneHot(knows=False)) == 0.0


def test_forms_of_a_word_share_a_stem() -> None:
    assert stem("failing") == stem("failures") == stem("failed") == "fail"
    assert stem("etcd") == "etcd"
    assert stem("磁盘") == "磁盘"


def test_the_section_and_the_heading_that_word_the_query_score_highest() -> None:
    wording = Wording({"the": 0.01, "reload": 3.0, "failures": 2.0, "s3": 4.0})
    best, other, none = wording.compare(
        [
            ("PrometheusTSDBReloadsFailing", "Reloading blocks from s3 failed."),
            ("Something else", "A reload happens; ps3 is not it."),
            ("Nothing", "Nothing."),
        ]
    )
    assert best.heading == pytest.approx(5 / 9)
    assert best.section > other.section > none.section == 0.0


def test_a_query_of_no_known_word_scores_nothing() -> None:
    assert Wording({}).compare([("a", "b")])[0].section == 0.0
