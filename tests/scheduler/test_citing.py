"""Citations in an answer that streams in pieces of any size."""

import pytest

from devops_chatbot.answer.citations import CitationFilter, citation, citations
from devops_chatbot.chat import Evidence, Location

CASES = [
    ("Plain text.", "Plain text.", []),
    ("One [1] and two [2].", "One [1] and two [2].", [1, 2]),
    ("None [3], nor [0].", "None , nor .", []),
    ("Both [1, 2] and [1，2].", "Both [1][2] and [1][2].", [1, 2]),
    ("全角【2】标记", "全角[1]标记", [2]),
    ("A link [1](https://x.org) stays.", "A link [1](https://x.org) stays.", []),
    ("Code `a[1]` and `b[9]` stays [1].", "Code `a[1]` and `b[9]` stays [1].", [1]),
    ("```\nx[9]\n```\nAfter [2].", "```\nx[9]\n```\nAfter [1].", [2]),
    ("Two [2], one [1], two [2].", "Two [1], one [2], two [1].", [1, 2]),
    ("A list [a] and [ ] boxes.", "A list [a] and [ ] boxes.", []),
    ("Ends with [", "Ends with [", []),
    ("Ends with [1", "Ends with [1", []),
]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("text", "expected", "cited"), CASES)
def test_only_what_exists_is_cited(text: str, expected: str, cited: list[int], size: int) -> None:
    marks = CitationFilter(2)
    said = "".join(marks.add(text[start : start + size]) for start in range(0, len(text), size)) + marks.end()
    assert said == expected
    assert sorted(marks.cited) == cited


def test_a_citation_carries_the_sentence_that_says_it() -> None:
    passage = "The disk is full. Rotate the logs with journalctl. Then restart the service."
    evidence = (Evidence(ref="d#v-0", title="Disk", text=passage, context=passage, source_uri="disk.md"),)
    marks = CitationFilter(1)
    marks.add("First you should rotate logs using journalctl [1]. Done.")
    marks.end()
    found = citations(marks.cited, evidence)
    assert [(one.number, one.ref, one.quote) for one in found] == [(1, "d#v-0", "Rotate the logs with journalctl.")]


def test_a_citation_of_words_beside_the_passage_names_their_lines() -> None:
    around = "# Disk\n\nThe disk is full.\n\n## Mend\n\nRotate the logs\nwith journalctl.\n\nOr buy a larger disk."
    evidence = Evidence(
        ref="d#v-0",
        title="Disk",
        text="Or buy a larger disk.",
        context=around,
        source_uri="disk.md",
        location=Location(line_start=10, line_end=10),
    )
    assert citation(1, evidence, "buy a larger disk").location == Location(line_start=10, line_end=10)
    assert citation(1, evidence, "The disk is full.").location == Location(line_start=3, line_end=3)
    assert citation(1, evidence, "Rotate the logs\nwith journalctl.").location == Location(line_start=7, line_end=8)


ENVIRONMENTS = "\n\n".join(
    f"## {name}\n\nRestart the ledger with `ledgerctl restart`.\n\nThe {name} cluster has three nodes."
    for name in ("Test", "Staging", "Production")
)


@pytest.mark.parametrize("name", ["Test", "Staging", "Production"])
def test_a_citation_of_words_that_stand_below_several_headings_names_the_one_that_is_meant(name: str) -> None:
    evidence = Evidence(
        ref="d1#v-0", title="Guide", source_uri="g.md", text=ENVIRONMENTS, context=ENVIRONMENTS, heading_path=("Guide",)
    )
    statement = f"In {name.lower()}, restart the ledger with ledgerctl restart."
    (cited,) = citations({1: statement}, [evidence])
    assert cited.heading_path == ("Guide", name)
    assert "ledgerctl restart" in cited.quote
