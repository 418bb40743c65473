"""Knowledge bases, the file table and opened citations."""

from typing import Any

import pytest
from ingest.library import Library, page
from sqlalchemy import event

from devops_chatbot.errors import BadRequest, Conflict, NotFound
from knowledge.catalog.chunks import find_quote


def test_a_name_is_found_in_any_case_and_taken_once(library: Library) -> None:
    base = library.catalog.create("  Runbooks der Küche ", description=" What to do ", embedding="bundled")
    assert (base.name, base.description, base.documents) == ("Runbooks der Küche", "What to do", 0)
    assert library.catalog.get("runbooks der küche") == base
    assert library.catalog.get(base.id) == base
    with pytest.raises(Conflict, match="already"):
        library.catalog.create("RUNBOOKS DER KÜCHE", embedding="bundled")
    other = library.catalog.create("运维手册", embedding="bundled")
    with pytest.raises(Conflict):
        library.catalog.change(other.id, name="Runbooks der Küche")
    assert library.catalog.change("运维手册", name="手册", description="x").name == "手册"
    assert [each.name for each in library.catalog.list()] == ["Runbooks der Küche", "手册"]


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "two\nlines", "nul\0"])
def test_an_impossible_name_is_refused(library: Library, name: str) -> None:
    with pytest.raises(BadRequest):
        library.catalog.create(name, embedding="bundled")


def test_what_is_not_there_is_said_so(library: Library) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        library.catalog.get("nowhere")
    with pytest.raises(NotFound):
        library.catalog.document(library.new_base(), "d1")
    with pytest.raises(NotFound):
        library.ingest.drop_knowledge_base("nowhere")


def test_the_file_table_is_filtered_and_paged(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {f"{n:02}.md": page(f"topic{n}") for n in range(12)} | {"100%.md": page("all"), "bad.md": b""})
    documents = library.catalog.documents(base, limit=5, offset=10)
    assert (documents.total, [each.source_uri for each in documents.items]) == (
        14,
        ["10.md", "100%.md", "11.md", "bad.md"],
    )
    assert [each.source_uri for each in library.catalog.documents(base, state="failed").items] == ["bad.md"]
    assert library.catalog.documents(base, text="TOPIC1").total == 3
    assert library.catalog.documents(base, text="%").total == 1


def test_a_citation_opens_in_its_section(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("etcd", paragraphs=5)})
    chunk = next(c for c in library.catalog.chunks(library.documents(base)["a.md"].id) if "word3x7" in c.text)
    opened = library.catalog.open_chunk(chunk.ref)
    assert opened.text[opened.start : opened.end] == chunk.text
    assert not opened.changed
    quoted = library.catalog.open_chunk(chunk.ref, "etcd   word3x7\netcd word3x8")
    assert quoted.text[quoted.start : quoted.end] == "etcd word3x7 etcd word3x8"
    assert quoted.text == opened.text


def test_a_citation_of_an_older_version_finds_its_words_again(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {"a.md": page("etcd", paragraphs=5)})
    chunk = next(c for c in library.catalog.chunks(library.documents(base)["a.md"].id) if "word3x7" in c.text)
    library.upload(base, {"a.md": "# New\n\nAnother beginning.\n\n" + page("etcd", paragraphs=400)})
    opened = library.catalog.open_chunk(chunk.ref, "word3x7 etcd word3x8")
    assert opened.changed
    assert opened.text[opened.start : opened.end] == "word3x7 etcd word3x8"
    assert len(opened.text) < 10_000
    lost = library.catalog.open_chunk(chunk.ref, "words that nobody wrote")
    assert (lost.changed, lost.start, lost.end) == (True, 0, 0)
    assert lost.text


def test_a_passage_in_a_section_without_end_gets_a_window(library: Library) -> None:
    base = library.new_base()
    lines = "\n".join(f"line {number} of the log says something" for number in range(3000))
    library.upload(base, {"a.log": lines})
    chunks = library.catalog.chunks(library.documents(base)["a.log"].id)
    chunk = chunks[len(chunks) // 2]
    opened = library.catalog.open_chunk(chunk.ref)
    assert opened.text[opened.start : opened.end] == chunk.text
    assert opened.text.startswith("line ")
    assert len(opened.text) < 10_000


def test_find_quote() -> None:
    assert find_quote("a b c", "b c") == (2, 5)
    assert find_quote("a b\n  c", "b c") == (2, 7)
    assert find_quote("A B", "a b") == (0, 3)
    assert find_quote("nothing", "else") is None
    assert find_quote("anything", " ") is None


def test_many_passages_take_few_statements_that_find_their_rows_by_an_index(library: Library) -> None:
    base = library.new_base()
    library.upload(base, {f"{number}.md": page(f"topic{number}", paragraphs=30) for number in range(40)})
    refs = [library.catalog.chunks(each.id)[7].ref for each in library.documents(base).values()][:20]
    ran: list[tuple[str, Any]] = []
    event.listen(library.engine, "before_cursor_execute", lambda *call: ran.append(call[2:4]))
    assert len(library.catalog.chunks_by_ref(refs)) == 20
    assert 0 < len(ran) <= 2
    for statement, values in ran.copy():
        with library.engine.connect() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
        assert not [row for row in plan if row[3].startswith("SCAN")], plan


@pytest.mark.parametrize("name", ["Test", "Staging", "Production"])
def test_a_citation_opens_below_its_own_heading(library: Library, name: str) -> None:
    base = library.new_base()
    sections = [f"## {each}\n\nRestart it with `ledgerctl restart`." for each in ("Test", "Staging", "Production")]
    library.upload(base, {"envs.md": "# Guide\n\n" + "\n\n".join(sections) + "\n"})
    (document,) = library.catalog.documents(base).items
    ref = library.catalog.chunks(document.id)[0].ref
    for cited in (ref, ref.replace(document.version[:12], "0" * 12)):
        opened = library.catalog.open_chunk(cited, "Restart it with `ledgerctl restart`.", ("Guide", name))
        assert opened.text[: opened.start].rstrip().endswith(f"## {name}")
        assert opened.text[opened.start : opened.end] == "Restart it with `ledgerctl restart`."
