"""Chunks: whole where they fit, cut at sensible places where not, and always a slice of their document."""

import random
import re
from collections.abc import Sequence
from itertools import pairwise

import pytest

from knowledge.chunking.splitter import CONTEXT_CHARACTERS, Splitter
from knowledge.loaders import load
from knowledge.model import Chunk, ParsedDocument

BUDGET = 60


def count(texts: Sequence[str]) -> list[int]:
    """Words and signs, and each Chinese character, as WordPiece roughly does."""
    return [len(re.findall(r"[\u3400-\u9fff]|\w+|[^\w\s]", text)) for text in texts]


def split(text: str, name: str = "page.md", *, budget: int = BUDGET, overlap: int = 10) -> list[Chunk]:
    parsed = load(text.encode(), name)
    splitter = Splitter(chunk_tokens=budget, overlap_tokens=overlap, count=count)
    chunks = splitter.split(parsed, collection="k", document_id="d1", version="v" * 32)
    check(parsed, chunks, budget)
    return chunks


def check(parsed: ParsedDocument, chunks: Sequence[Chunk], budget: int) -> None:
    """What holds for every document."""
    covered = bytearray(len(parsed.text))
    for number, chunk in enumerate(chunks):
        assert chunk.ordinal == number
        assert chunk.id == f"d1#{'v' * 12}-{number}"
        assert chunk.text == parsed.text[chunk.start : chunk.end]
        assert chunk.text.strip()
        assert chunk.section_start <= chunk.start < chunk.end <= chunk.section_end
        assert chunk.section_end - chunk.section_start <= max(CONTEXT_CHARACTERS, chunk.end - chunk.start)
        assert count([chunk.searchable])[0] <= budget * 1.6  # long titles may take more than their share
        covered[chunk.start : chunk.end] = b"\1" * (chunk.end - chunk.start)
        assert not chunks[number - 1].end > chunk.end or number == 0
    begin = parsed.sections[0].start if parsed.sections else 0
    left = "".join(c for c, seen in zip(parsed.text[begin:], covered[begin:], strict=True) if not seen)
    assert not left.strip(), f"not in any chunk: {left.strip()[:80]!r}"


def sentences(number: int, words: int = 8) -> str:
    return " ".join(f"Sentence {n} " + " ".join("abcdefgh"[:words]) + "." for n in range(number))


def test_a_small_page_is_one_chunk() -> None:
    (chunk,) = split("# Disk full\n\n## Meaning\n\nNo space.\n\n## Impact\n\nWrites fail.\n")
    assert chunk.heading_path == ("Disk full",)
    assert (chunk.location.line_start, chunk.location.line_end) == (1, 9)
    assert chunk.searchable.startswith("Disk full\n# Disk full")


def test_sections_that_fill_a_chunk_stand_alone() -> None:
    first, second = split(f"# Guide\n\n## One\n\n{sentences(4)}\n\n## Two\n\n{sentences(4)}\n")
    assert first.heading_path == ("Guide", "One")
    assert second.heading_path == ("Guide", "Two")
    assert second.text.startswith("## Two")


def test_prose_is_cut_at_sentences_and_repeats_one() -> None:
    chunks = split(sentences(29), overlap=12)
    assert len(chunks) > 4
    for before, after in pairwise(chunks):
        assert before.text.endswith(".")
        assert after.text.startswith("Sentence ")
        assert after.start < before.end
    apart = split(sentences(30), overlap=0)
    assert all(before.end <= after.start for before, after in pairwise(apart))


def test_chinese_is_cut_at_its_own_full_stops() -> None:
    text = "".join(f"第{n}步:检查节点磁盘的使用率,并且删除旧的日志文件。" for n in range(12)) + "完成了吗？是的！"
    chunks = split(text, "runbook.md", overlap=0)
    assert len(chunks) > 3
    assert all(chunk.text[-1] in "。！？" for chunk in chunks)


def test_a_list_stays_whole_with_the_line_that_introduces_it() -> None:
    items = "\n".join(f"- item {n} with words" for n in range(7))
    chunks = split(f"{sentences(4)}\n\nDo all of this:\n\n{items}\n\n{sentences(3)}\n")
    (holder,) = [chunk for chunk in chunks if "item 3" in chunk.text]
    assert holder.text.startswith("Do all of this:")
    assert "item 6" in holder.text


def test_a_long_list_is_cut_between_items_and_keeps_their_code() -> None:
    items = "\n".join(
        f"{n}. Run step {n} on the node now:\n\n   ```bash\n   kubectl drain node-{n}\n   ```\n" for n in range(1, 12)
    )
    chunks = split(f"## Steps\n\n{items}")
    assert len(chunks) > 2
    for chunk in chunks:
        assert chunk.text.count("```") % 2 == 0
        assert re.match(r"## Steps|\d+\. Run", chunk.text)


def test_code_stays_whole_where_it_fits() -> None:
    code = "```sh\n" + "\n".join(f"command --number {n}" for n in range(6)) + "\n```"
    chunks = split(f"{sentences(5)}\n\n{code}\n\n{sentences(5)}\n")
    assert any(code in chunk.text for chunk in chunks)


def test_long_code_is_cut_at_lines() -> None:
    code = "\n".join(f"kubectl get pod number-{n} --output yaml" for n in range(40))
    for chunk in split(f"Run:\n\n```sh\n{code}\n```\n"):
        for line in chunk.text.splitlines():
            assert line in ("Run:", "", "```sh", "```") or line.endswith("--output yaml")


def test_a_long_table_is_cut_at_rows_and_its_head_keeps_a_row() -> None:
    rows = "\n".join(f"| alert {n} | do {n} |" for n in range(30))
    chunks = split(f"| Name | What |\n| --- | --- |\n{rows}\n")
    assert len(chunks) > 3
    assert "alert 0" in chunks[0].text
    assert all(line.startswith("|") and line.endswith("|") for chunk in chunks for line in chunk.text.splitlines())


def test_no_chunk_ends_in_a_heading() -> None:
    page = "".join(
        f"## Part {n}\n\n{sentences(n % 5 + 1)}\n\n### Deeper\n\n#### Deepest\n\n{sentences(3)}\n\n" for n in range(12)
    )
    for chunk in split(f"# All\n\n{page}"):
        assert not chunk.text.splitlines()[-1].startswith("#")


def test_headings_of_a_chunk_hold_for_all_of_it() -> None:
    chunks = split("# A\n\n" + "".join(f"## B{n}\n\nFew words.\n\n" for n in range(12)))
    assert len(chunks) > 1
    assert {chunk.heading_path for chunk in chunks} == {("A",)}


def test_source_code_is_cut_at_definitions_with_line_numbers() -> None:
    source = (
        "import os\n\n" + "\n\n".join(f"def function_{n}(a, b):\n" + "    value = a + b\n" * 5 for n in range(6)) + "\n"
    )
    chunks = split(source, "a.py")
    starts = [chunk for chunk in chunks if chunk.text.startswith("def function_")]
    assert len(starts) >= 5
    one = starts[2]
    assert source.split("\n")[(one.location.line_start or 0) - 1] == one.text.split("\n")[0]
    assert one.heading_path[-1] in one.text


def test_yaml_is_cut_between_its_top_entries() -> None:
    rules = "\n".join(
        f"  - alert: Alert{n}\n    expr: up{{job=x}} == {n}\n    for: 5m\n    labels:\n      severity: page"
        for n in range(12)
    )
    chunks = split(f"groups:\n- name: all\n  rules:\n{rules}\n", "rules.yaml")
    assert len(chunks) > 3
    assert all(chunk.text.lstrip().startswith(("groups:", "- alert:")) for chunk in chunks)


def test_a_log_is_cut_at_lines() -> None:
    log = "\n".join(f"2026-11-20 10:00:{n:02} ERROR Disk full. Cannot write. Node n{n}" for n in range(60))
    for chunk in split(log, "node.log"):
        assert all(re.fullmatch(r"2026.*Node n\d+", line) for line in chunk.text.splitlines())


@pytest.mark.parametrize("word", ["x" * 5000, "a.b,c;" * 900, "\u00e9" * 3000])
def test_one_endless_word_is_cut_all_the_same(word: str) -> None:
    # this counter sees one word; a real one sees many pieces
    splitter = Splitter(chunk_tokens=60, overlap_tokens=10, count=lambda texts: [len(text) // 3 + 1 for text in texts])
    parsed = ParsedDocument(text=word, title="a", loader="text")
    chunks = splitter.split(parsed, collection="k", document_id="d1", version="v" * 32)
    assert max(len(chunk.text) for chunk in chunks) <= 200
    assert chunks[0].start == 0
    assert chunks[-1].end == len(word)


def test_nothing_gives_nothing() -> None:
    parsed = ParsedDocument(text="\n \n", title="a", loader="text")
    splitter = Splitter(chunk_tokens=60, overlap_tokens=10, count=count)
    assert splitter.split(parsed, collection="k", document_id="d1", version="v" * 32) == []


def test_every_setting_is_in_the_shape() -> None:
    shapes = {Splitter(chunk_tokens=a, overlap_tokens=b, count=count).shape for a, b in ((60, 10), (61, 10), (60, 11))}
    assert len(shapes) == 3


def test_a_very_long_text_is_split_in_slabs() -> None:
    chunks = split("\n\n".join(sentences(6) for _ in range(800)), "long.txt")
    assert len(chunks) > 800


def test_any_document_is_covered() -> None:
    dice = random.Random(7)  # noqa: S311
    pieces = [
        "# Head {n}\n\n", "## Sub {n}\n\n", "### Deep {n}\n", "Words {n} that say something. And more of it here.\n\n",
        "- one {n}\n- two\n\n", "```\ncode {n}\n\nmore\n```\n", "| a | b |\n|---|---|\n| {n} | x |\n\n",
        "1. step {n}\n\n   deeper words here\n\n2. next\n", "> quoted {n}\n\n", "<div>\nraw {n}\n</div>\n\n",
        "中文第{n}句。还有一句！\n\n", "    indented {n}\n\n", "Title {n}\n======\n\n", "***\n\n", "[ref{n}]: x.md\n", "\n\n\n",
        "- a\n\n  ```\n  x {n}\n  ```\n\n  b\n", "word{n} " * 90 + "\n\n", "Intro {n}:\n\n", "**Bold {n}**\n",
        "&nbsp; <!-- {n} -->\n",
    ]  # fmt: skip
    for _ in range(150):
        text = "".join(dice.choice(pieces).replace("{n}", str(n)) for n in range(dice.randrange(1, 40)))
        for name in ("a.md", "a.txt", "a.py", "a.rst", "a.yaml"):
            if text.strip():
                split(text, name, budget=dice.choice((40, 60, 200)))
