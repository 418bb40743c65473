"""What models and documents say is shown, and never obeyed."""

import pytest

from devops_chatbot.chat import Location
from devops_chatbot.wire import OpenedPassage
from webui.markup import answer_markdown, passage_html, snippet_html


def passage(text: str, hit: str, uri: str = "a.md", location: Location = Location()) -> OpenedPassage:
    start = text.index(hit)
    return OpenedPassage(
        document="d1", title="A", source_uri=uri, text=text, start=start, end=start + len(hit), location=location
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Slow disk [1].", "Slow disk[1](#cite-m-1)."),
        ("Both [1][2].", "Both[1](#cite-m-1)[2](#cite-m-2)."),
        ("Both [1, 2].", "Both[1](#cite-m-1)[2](#cite-m-2)."),
        ("磁盘慢[2]。", "磁盘慢[2](#cite-m-2)。"),
        ("No such [7].", "No such [7]."),
        ("A list: `a[1]` and [link](http://x/[1])", "A list: `a[1]` and [link](http://x/[1](#cite-m-1))"),
        ("```\nx[1]\n```\n[1]", "```\nx[1]\n```\n[1](#cite-m-1)"),
        ("```\nstill open [1]", "```\nstill open [1]"),
        ("from $5 to $6", "from \\$5 to \\$6"),
        ("`$PATH`", "`$PATH`"),
        (":red[alarm] :smile: at 10:30", "\\:red[alarm] \\:smile: at 10:30"),
        ("![x](http://evil/?secret)", "[x](http://evil/?secret)"),
        ("as [fsync'd][fsync] says", "as fsync'd says"),
    ],
)
def test_answers_become_markdown_for_the_page(text: str, shown: str) -> None:
    assert answer_markdown(text, {1, 2}, "m") == shown


def test_the_cited_block_is_highlighted_and_nothing_else() -> None:
    html = passage_html(passage("# One\n\nfirst\n\nsecond words\n\nthird", "second words"))
    assert html.count('class="hit"') == 1
    assert '<p class="hit">second words</p>' in html


def test_items_rows_and_lines_of_code_are_highlighted_one_by_one() -> None:
    listed = passage_html(passage("- one\n- two\n- three", "two"))
    assert listed.count('class="hit"') == 1
    assert '<li class="hit">two</li>' in listed
    table = passage_html(passage("| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |", "| 3 | 4 |"))
    assert table.count('<tr class="hit">') == 1
    code = passage_html(passage("```sh\nfirst\nsecond\nthird\n```", "second"))
    assert '<span class="hit">second</span>' in code
    assert code.count('class="hit"') == 1


def test_plain_text_is_highlighted_by_the_letter_and_code_has_its_line_numbers() -> None:
    assert 'one <mark class="hit">two</mark> three' in passage_html(passage("one two three", "two", "log.txt"))
    code = passage_html(passage("a = 1\nb = 2\nc = 3", "b = 2", "x.py", Location(line_start=11, line_end=11)))
    assert '<div class="line hit"><i>11</i><code>b = 2</code></div>' in code
    assert "<i>10</i>" in code


@pytest.mark.parametrize("uri", ["a.md", "a.txt", "a.py"])
def test_documents_cannot_bring_markup_of_their_own(uri: str) -> None:
    evil = "<script>alert(1)</script> ![x](http://evil/pixel) [go](javascript:alert(1)) <img src=http://evil>"
    html = passage_html(passage(evil, "go", uri)) + snippet_html(evil)
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html


def test_a_snippet_leaves_out_the_headings_it_begins_with() -> None:
    assert "<h2>" not in snippet_html("# A\n\n## B\n\nwords")
    assert "words" in snippet_html("# A\n\n## B\n\nwords")
    assert "<h1>A</h1>" in snippet_html("# A")


def test_the_front_matter_of_a_page_is_not_shown_and_the_highlight_stays_in_its_place() -> None:
    page = (
        "# KubePod\n\n---\ntitle: Pods\ntags:\n  - pods\n---\n\n# KubePod\n\nfirst\n\nsecond\n\n---\nkept: words\n---\n"
    )
    assert "Pods" not in snippet_html(page)
    opened = passage_html(passage(page, "second"))
    assert "Pods" not in opened
    assert '<p class="hit">second</p>' in opened
    assert opened.count("<h1>KubePod</h1>") == 1, "the title is said once"
    assert "kept: words" in opened
