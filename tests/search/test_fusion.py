"""How scores of several indexes become one ranking."""

import pytest

from knowledge.embed.embedding_probe import NARROWEST, cosine_scale
from knowledge.model import Match
from knowledge.retrieval import fusion
from knowledge.retrieval.lexical_rerank import LexicalReranker, Overlap
from knowledge.text.identifiers import in_words
from knowledge.text.language import foreign_share
from knowledge.text.stems import stem


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


def test_words_and_meaning_at_two_places_of_a_document_count_together() -> None:
    legs = {
        "lexical": matches(("other#1-0", 9.0), ("right#1-0", 8.5), ("last#1-0", 1.0)),
        "vector": matches(("third#1-0", 0.9), ("right#1-7", 0.88), ("other#1-5", 0.5), ("last#1-0", 0.4)),
    }
    found = fusion.ranked(fusion.combined(legs, share=0.5), legs=legs)
    assert [one.chunk_id for one in found[:2]] == ["right#1-7", "right#1-0"]


def test_matches_beyond_a_fixed_depth_do_not_move_the_ones_before() -> None:
    words = matches(("a", 2.0), ("v3", 1.9))
    vectors = matches(*((f"v{rank}", 0.9 - rank / 100) for rank in range(80)))
    short = {"lexical": words, "vector": vectors[: fusion.DEPTH]}
    deep = {"lexical": words, "vector": vectors}
    few, many = (fusion.combined(legs, share=0.5) for legs in (short, deep))
    assert {chunk_id: many[chunk_id] for chunk_id in few} == few


def test_a_section_is_judged_beside_the_best_worded_one() -> None:
    legs = {"lexical": matches(("a", 1.0), ("b", 1.0))}
    scores = fusion.combined(legs, share=0.0)
    worded = {"a": Overlap(section=0.3, title=0.0), "b": Overlap(section=0.6, title=0.0)}
    found = {one.chunk_id: one.score for one in fusion.ranked(scores, legs=legs, worded=worded)}
    most = 1 + fusion.NEAR + fusion.SECTION + fusion.TITLE
    assert found["b"] - found["a"] == pytest.approx(fusion.SECTION / 2 / most)


def test_little_words_alone_do_not_outweigh_the_meaning() -> None:
    legs = {"lexical": matches(("little", 0.2), ("right", 0.1)), "vector": matches(("right", 0.6), ("little", 0.1))}
    sure = fusion.words_sureness(legs["lexical"], {"how": 0.1, "the": 0.1, "dough": 4.0, "rises": 4.0})
    assert 0 < sure < 0.05
    found = fusion.ranked(fusion.combined(legs, share=0.1, sure=sure), legs=legs)
    assert [one.chunk_id for one in found] == ["right", "little"]
    assert fusion.words_sureness(matches(("a", 6.0)), {"the": 0.1, "dough": 4.0}) == 1.0
    assert fusion.words_sureness([], {}) == 1.0


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


def test_the_scale_of_a_model_runs_from_unrelated_sentences_to_paraphrases() -> None:
    assert cosine_scale(_OneHot(knows=True)) == (0.0, 1.0)
    assert cosine_scale(_OneHot(knows=False)) == (8.0, NARROWEST)


def test_forms_of_a_word_share_a_stem() -> None:
    assert stem("failing") == stem("failures") == stem("failed") == "fail"
    assert stem("etcd") == "etcd"
    assert stem("磁盘") == "磁盘"


def test_the_section_and_the_title_that_word_the_query_score_highest() -> None:
    wording = LexicalReranker({"the": 0.01, "reload": 3.0, "failures": 2.0, "s3": 4.0})
    best, other, none = wording.compare(
        [
            ("PrometheusTSDBReloadsFailing", "Reloading blocks from s3 failed."),
            ("Something else", "A reload happens; ps3 is not it."),
            ("Nothing", "Nothing."),
        ]
    )
    assert best.title == pytest.approx(5 / 9)
    assert best.section > other.section > none.section == 0.0


def test_a_query_of_no_known_word_scores_nothing() -> None:
    assert LexicalReranker({}).compare([("a", "b")])[0].section == 0.0
