"""What models and documents say is shown, and never obeyed."""

import re
from pathlib import Path

import pytest

import webui
from devops_chatbot.chat import Location
from knowledge.model import OpenedChunk
from webui.components.markup import answer_markdown, passage_html, snippet_html


def passage(text: str, hit: str, uri: str = "a.md", location: Location = Location()) -> OpenedChunk:
    start = text.index(hit)
    return OpenedChunk(
        document="d1",
        title="A",
        source_uri=uri,
        heading_path=(),
        text=text,
        start=start,
        end=start + len(hit),
        location=location,
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


@pytest.mark.parametrize("uri", ["a.md", "a.txt", "a.py", "a.pdf"])
def test_documents_cannot_bring_markup_of_their_own(uri: str) -> None:
    evil = "<script>alert(1)</script> ![x](http://evil/pixel) [go](javascript:alert(1)) <img src=http://evil>"
    html = passage_html(passage(evil, "go", uri)) + snippet_html(evil, uri)
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html


def test_a_snippet_leaves_out_the_headings_it_begins_with() -> None:
    assert "<h2>" not in snippet_html("# A\n\n## B\n\nwords", "a.md")
    assert "words" in snippet_html("# A\n\n## B\n\nwords", "a.md")
    assert "<h1>A</h1>" in snippet_html("# A", "a.md")


def test_the_front_matter_of_a_page_is_not_shown_and_the_highlight_stays_in_its_place() -> None:
    page = (
        "# KubePod\n\n---\ntitle: Pods\ntags:\n  - pods\n---\n\n# KubePod\n\nfirst\n\nsecond\n\n---\nkept: words\n---\n"
    )
    assert "Pods" not in snippet_html(page, "a.md")
    opened = passage_html(passage(page, "second"))
    assert "Pods" not in opened
    assert '<p class="hit">second</p>' in opened
    assert opened.count("<h1>KubePod</h1>") == 1, "the title is said once"
    assert "kept: words" in opened


def test_a_page_of_a_pdf_shows_headings_and_code_instead_of_their_marks() -> None:
    text = "END\n```\n\n## 2.3 Parsing\n\nFor <simple> types\nuse it.\n\n```\nasn1_parse (x)\n```\n\nDone."
    html = passage_html(passage(text, "types\nuse it", "manual.pdf"))
    assert "```" not in html
    assert "##" not in html
    assert "<pre>END</pre>" in html
    assert "<h4>2.3 Parsing</h4>" in html
    assert (
        '<div>For &lt;simple&gt; <mark class="hit">types</mark></div><div><mark class="hit">use it</mark>.</div>'
        in html
    )
    assert "<pre>asn1_parse (x)</pre>" in html
    assert "<div>Done.</div>" in html
    assert "##" not in snippet_html(text, "manual.pdf")


def test_a_snippet_of_code_keeps_its_lines_and_its_comments() -> None:
    html = snippet_html("# restart it\n\n    return 2**attempt * __base__", "src/retry.sh")
    assert "<code># restart it</code>" in html
    assert "<code>    return 2**attempt * __base__</code>" in html
    assert "2**attempt" in snippet_html("at 2**attempt", "notes.txt")


def test_links_of_documents_do_not_look_like_buttons_of_ours() -> None:
    html = passage_html(passage("see [fsync](http://else.where)", "see"))
    classes = set(re.findall(r'class="([^"]+)"', html)) - {"hit"}
    sheet = (Path(str(webui.__file__)).parent / "components" / "style.css").read_text("utf-8")
    for name in classes:
        for each in name.split():
            rules = re.findall(rf"^\.{each} \{{([^}}]*)\}}", sheet, re.M)
            assert not any("cursor: pointer" in rule for rule in rules)
