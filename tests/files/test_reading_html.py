"""HTML as it is met: tabs, accordions, several articles, Confluence's storage format, and tags that mean something."""

import pytest

from knowledge.loaders import load
from knowledge.model import ParsedDocument


def read(body: str, name: str = "page.html") -> ParsedDocument:
    return load(f"<html><body>{body}</body></html>".encode(), name)


TABS = """<h1>Agent</h1><div><{list} role="tablist">
<{tab} role="tab" aria-selected="true">Debian</{tab}>
<{tab} role="tab" aria-controls="p2">Alpine</{tab}></{list}>
<div role="tabpanel"><pre>apt-get install acme</pre></div>
<div role="tabpanel" id="p2" {hidden}><pre>apk add acme-musl</pre></div></div>"""


@pytest.mark.parametrize("hidden", ["hidden", 'hidden="until-found"', 'aria-hidden="true"', 'style="display:none"'])
@pytest.mark.parametrize("tags", [("ul", "li"), ("div", "button")])
def test_panels_of_tabs_are_kept_below_their_names(tags: tuple[str, str], hidden: str) -> None:
    text = read(f"<main>{TABS.format(list=tags[0], tab=tags[1], hidden=hidden)}</main>").text
    assert "**Debian**\n\n```\napt-get install acme\n```\n\n**Alpine**\n\n```\napk add acme-musl\n```" in text


@pytest.mark.parametrize(
    "item",
    [
        '<h2><button class="accordion-button collapsed" type="button">{q}</button></h2><div class="collapse"><p>{a}</p></div>',
        '<button class="accordion">{q}</button><div class="panel"><p>{a}</p></div>',
        '<dl><dt><button aria-expanded="false">{q}</button></dt><dd hidden>{a}</dd></dl>',
        "<details><summary>{q}</summary><p>{a}</p></details>",
        '<div><button data-toggle="collapse">{q}</button></div><div class="collapse" aria-hidden="true"><p>{a}</p></div>',
    ],
)
def test_accordions_keep_questions_and_answers(item: str) -> None:
    text = read("<main>" + item.format(q="Who pays for it?", a="Cost centre 4471.") + "</main>").text
    assert "Who pays for it?" in text
    assert "Cost centre 4471." in text


def test_buttons_that_only_do_something_are_left_out() -> None:
    text = read(
        "<main><p>Run it:</p><pre><button>Copy the whole command now</button>ls -l</pre><button>Sign in</button></main>"
    ).text
    assert text.strip() == "Run it:\n\n```\nls -l\n```"


CHAPTER = "<p>The pager wakes the person on duty within a minute and rings until somebody answers it.</p>"


@pytest.mark.parametrize(
    "page",
    [
        f"<article><h1>One</h1>{CHAPTER * 6}</article><article><h1>Two</h1><p>Call Zebulon.</p></article>",
        f"<main><h1>One</h1>{CHAPTER * 3}</main><main hidden><h1>Two</h1><p>Call Zebulon.</p></main>",
        f'<div class="content"><h1>One</h1>{CHAPTER * 3}</div><section><h1>Two</h1>{CHAPTER}<p>Call Zebulon.</p></section>',
        f'<div id="content">{CHAPTER * 6}</div><div class="content">{CHAPTER}<p>Call Zebulon.</p></div>',
        f"<main>{CHAPTER}<form><table><tr><th>Field</th></tr><tr><td>Call Zebulon.</td></tr></table>{CHAPTER * 2}</form></main>",
        f'<main>{CHAPTER}<aside class="sidebar"><p>In doubt</p><p>Call Zebulon. {CHAPTER * 2}</p></aside></main>',
        f"<main>{CHAPTER}<dialog><h2>Escalation</h2><p>Call Zebulon.</p>{CHAPTER * 2}</dialog>{CHAPTER * 3}</main>",
    ],
)
def test_all_of_the_content_is_kept(page: str) -> None:
    assert "Call Zebulon." in read(page).text


def test_what_stands_around_the_content_is_left_out_and_told() -> None:
    menu = "".join(f'<li><a href="/{n}">Another page of the handbook {n}</a></li>' for n in range(30))
    page = f"<nav><ul>{menu}</ul></nav><div class='sidebar'><ul>{menu}</ul></div><main>{CHAPTER}</main><footer>Imprint</footer>"
    parsed = read(page)
    assert "Another page" not in parsed.text
    assert "Imprint" not in parsed.text
    assert [note.code for note in parsed.notes] == ["left_out.around"]
    assert read(f"<main>{CHAPTER}</main><footer>Imprint</footer>").notes == ()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("At most 2<sup>32</sup> entries, 5×10<sup>-3</sup>.", "At most 2^32 entries, 5×10^-3."),
        ("x<sup>n+1</sup>, 5<sup>th</sup>, Acme<sup>®</sup>", "x^(n+1), 5th, Acme®"),
        ('Seen<sup><a href="#fn1">1</a></sup> and<sup>[2]</sup>.', "Seen[^1] and[2]."),
        ("CO<sub>2</sub>, log<sub>2</sub> n, x<sub>i</sub>", "CO2, log_2 n, x_i"),
        ("<del>Port 80</del> Port 8080, <s>never</s>", "~~Port 80~~ Port 8080, ~~never~~"),
        ('<abbr title="service level objective">SLO</abbr>', "SLO (service level objective)"),
        ('Run <input type="text" readonly value="kubectl get pods">', "Run `kubectl get pods`"),
        (
            'See <a href="https://grafana.example/d/1">the board</a>, <b><a href="mailto:noc@x.example">the NOC</a></b>.',
            "See [the board](https://grafana.example/d/1), [the NOC](mailto:noc@x.example).",
        ),
        ('<a href="/local.html">here</a> <a href="javascript:x()">run</a> <a href="#a">up</a>', "here run up"),
        ('<a href="https://x.example/a">https://x.example/a</a>', "https://x.example/a"),
        ('<a href="tel:+1555">+1555</a>', "tel:+1555"),
    ],
)  # fmt: skip
def test_tags_that_mean_something(body: str, expected: str) -> None:
    assert read(f"<main><p>{body}</p></main>").text.strip() == expected


def test_addresses_in_headings_and_tables_and_boxes_of_lists() -> None:
    text = read(
        '<main><h2>2<sup>10</sup> <a href="https://x.example/board">Board</a></h2>'
        '<table><tr><th>What</th></tr><tr><td><a href="https://x.example/t">T</a></td></tr></table>'
        "<ul><li><input type=checkbox checked disabled> Done</li><li><input type=checkbox> Open</li></ul></main>"
    ).text
    assert "## 2^10 Board\n\n<https://x.example/board>" in text
    assert "| [T](https://x.example/t) |" in text
    assert "- [x] Done\n- [ ] Open" in text


CONFLUENCE = """<p>Run this:</p><ac:structured-macro ac:name="toc" /><ac:structured-macro ac:name="code">
<ac:parameter ac:name="language">bash</ac:parameter><ac:parameter ac:name="title">On the vault</ac:parameter>
<ac:plain-text-body><![CDATA[vaultctl rotate --ring <blue>
vaultctl verify && echo a]]]]><![CDATA[>b]]></ac:plain-text-body></ac:structured-macro>
<ac:structured-macro ac:name="warning"><ac:rich-text-body><p>Never on a Friday.</p></ac:rich-text-body></ac:structured-macro>
<p>State: <ac:structured-macro ac:name="status"><ac:parameter ac:name="colour">Green</ac:parameter>
<ac:parameter ac:name="title">LIVE</ac:parameter></ac:structured-macro> since <time datetime="2026-01-02" />.
See <ac:link><ri:page ri:content-title="Key ceremony" /></ac:link> and
<ac:link><ri:page ri:content-title="Other" />
<ac:plain-text-link-body><![CDATA[the other]]></ac:plain-text-link-body></ac:link>.</p>
<table><tr><th>Region</th><th>Works</th></tr>
<tr><td>eu</td><td><ac:emoticon ac:name="tick" /></td></tr></table>
<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status><ac:task-body>Tell them</ac:task-body>
</ac:task>
<ac:task><ac:task-status>incomplete</ac:task-status><ac:task-body>Ask them</ac:task-body></ac:task></ac:task-list>"""


def test_what_confluence_stores() -> None:
    text = load(CONFLUENCE.encode(), "rotate.html").text
    for kept in (
        "```bash\nvaultctl rotate --ring <blue>\nvaultctl verify && echo a]]>b\n```",
        "**On the vault**",
        "**Warning**\n\nNever on a Friday.",
        "State: **LIVE** since 2026-01-02. See Key ceremony and the other.",
        "| eu | ✓ |",
        "- [x] Tell them\n- [ ] Ask them",
    ):
        assert kept in text
    assert "Green" not in text
