"""Markdown, reStructuredText and HTML: clean text, right headings, lines that stay the file's own."""

import pytest

from devops_chatbot.errors import UnsupportedFile
from knowledge.loaders import load, loader_for
from knowledge.model import Link, ParsedDocument


def read(text: str, name: str = "page.md") -> ParsedDocument:
    return load(text.encode(), name)


def paths(parsed: ParsedDocument) -> list[tuple[str, ...]]:
    return [section.heading_path for section in parsed.sections]


def test_headings_nest_and_code_is_no_heading() -> None:
    parsed = read(
        "# Disk full\n\nIntro.\n\n## Check\n\n```sh\n# not a heading\n```\n\nSetext\n------\n\n### Deep\n\n## Last\n"
    )
    assert parsed.title == "Disk full"
    assert paths(parsed) == [
        ("Disk full",),
        ("Disk full", "Check"),
        ("Disk full", "Setext"),
        ("Disk full", "Setext", "Deep"),
        ("Disk full", "Last"),
    ]
    deep = parsed.sections[3]
    assert parsed.text[deep.start : deep.end].startswith("### Deep")
    assert parsed.sections[0].end == len(parsed.text)


def test_front_matter_gives_the_title() -> None:
    parsed = read("---\ntitle: 'On call'\nweight: 20\n---\n\n## First\n\nText.\n\n## Second\n")
    assert parsed.title == "On call"
    assert parsed.sections[0].heading_path == ("First",)
    titled = read("---\ntitle: Node Clock Skew\n---\n\n# NodeClockSkew\n\nText.\n")
    assert titled.sections[0].heading_path == ("NodeClockSkew",)
    assert read("---\n\nA rule, no front matter.\n\n---\n").sections[0].start == 0
    assert read('+++\ntitle = "Hugo"\n+++\nText\n').title == "Hugo"


def test_what_front_matter_tells_can_be_found_and_lines_stay() -> None:
    source = (
        "---\ntitle: Failover\n# for the site\nweight: 3\nmenu:\n  main:\n    parent: db\nowner: team-dba\ntags:\n  - patroni\n"
        "  - zookeeper\n---\n\n# Steps\n\nText.\n"
    )
    parsed = read(source)
    before, steps = parsed.sections
    assert (before.heading_path, steps.heading_path) == ((), ("Steps",))
    told = parsed.text[before.start : before.end]
    assert told.split() == "title: Failover owner: team-dba tags: - patroni - zookeeper".split()
    assert parsed.text.split("\n").index("owner: team-dba") == source.split("\n").index("owner: team-dba")
    assert read('+++\ntitle = "T"\nowner = "team-dba"\n+++\nText.\n').text.split() == [
        "owner",
        "=",
        '"team-dba"',
        "Text.",
    ]


def test_what_only_a_renderer_needs_is_gone_and_lines_stay() -> None:
    source = (
        '# Set `AWS\\_REGION` \\(once\\)<a name="set"></a>\n\n<!-- a\ncomment -->\n![diagram of it](x.png)\n'
        "Use AWS\\_REGION\\. See [the page][p]&nbsp;now<br/>and `a\\_b`.\n\n"
        "```\nkeep \\_ and <b>\n```\n\n1\\. no list\n\n[p]: other.md\n"
    )
    parsed = read(source)
    assert parsed.text.count("\n") == source.count("\n")
    assert parsed.title == "Set AWS\\_REGION (once)"  # code keeps its backslash
    assert "diagram of it\nUse AWS_REGION. See [the page](other.md) now and `a\\_b`." in parsed.text
    assert "keep \\_ and <b>" in parsed.text
    assert "1\\. no list" in parsed.text
    for gone in ("<a name", "comment", "x.png", "[p]:", "&nbsp;"):
        assert gone not in parsed.text
    assert parsed.links == (Link(target="other.md", text="the page"),)


def test_links_of_hugo_and_wikis() -> None:
    parsed = read('See [Node]({{< ref "./NodeRAID.md" >}}) and [[Other page|that]] and {{< note >}}x{{< /note >}}.\n')
    assert parsed.links == (Link(target="./NodeRAID.md", text="Node"), Link(target="Other page", text="that"))
    assert "{{<" not in parsed.text


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            '!!! warning "Take care"\n    Indented.\n\n    ```\n    code\n    ```\n\nAfter.\n',
            "**Take care**\nIndented.\n\n```\ncode\n```\n\nAfter.\n",
        ),
        (":::tip\nUse it.\n:::\n", "**Tip**\nUse it.\n\n"),
        ("> [!NOTE]\n> Read.\n", "> **Note**\n> Read.\n"),
    ],
)
def test_notes_of_other_dialects(source: str, expected: str) -> None:
    assert read(source).text == expected


def test_helm_and_placeholders_survive() -> None:
    text = "Set `{{ .Values.image }}` for <pod-name> in {{ .Release.Name }}; C:\\temp\\new stays.\n"
    assert read(text).text == text


def test_rst_becomes_markdown_line_by_line() -> None:
    source = (
        "=====\nTitle\n=====\n\n.. _here:\n\nRun ``ls`` or :ref:`that <there>`::\n\n    ls -l\n    # all\n\nSub\n---\n\n"
        ".. code-block:: bash\n   :linenos:\n\n   kubectl get pods\n\n"
        ".. note:: Mind it.\n\n   Deep words.\n\n.. image:: x.png\n\n"
        "`Site\n<https://example.org>`_ and docs_.\n\n.. _docs: https://docs.example.org\n"
    )
    parsed = read(source, "guide.rst")
    assert parsed.loader == "rst"
    assert parsed.text.count("\n") == source.count("\n")
    assert paths(parsed) == [("Title",), ("Title", "Sub")]
    assert "Run `ls` or that:\n```\nls -l\n# all\n```\n" in parsed.text
    assert "```bash\nkubectl get pods\n```" in parsed.text
    assert "**Note** Mind it.\n\nDeep words." in parsed.text
    assert "[Site](https://example.org)" in parsed.text
    assert "[docs](https://docs.example.org)" in parsed.text
    assert "x.png" not in parsed.text
    assert Link(target="there", text="that") in parsed.links


def test_html_keeps_the_content_and_drops_what_is_around_it() -> None:
    page = """<!doctype html><html><head><title>Site | Disk</title><style>x{}</style></head><body><nav><a href="/">Home</a></nav>
    <main><h1>Disk full<a class="headerlink" href="#d">¶</a></h1>
    <p>Some <b>bold</b>, <code>df -h</code>, <a href="x.html">link</a>.</p>
    <ol><li>First<ul><li>inner</li></ul></li><li><p>Second</p><pre class="language-bash"><code>kubectl get pods
  -n x</code></pre></li></ol>
    <table><tr><th>Name</th><th>Use</th></tr><tr><td>a|b</td><td>x<br>y</td></tr></table>
    <dl><dt>term</dt><dd>meaning</dd></dl><p># not a heading</p></main>
    <footer>Imprint</footer><script>alert(1)</script></body></html>"""
    parsed = read(page, "disk.html")
    assert parsed.title == "Disk full"
    assert parsed.links == (Link(target="x.html", text="link"),)
    assert not parsed.has_lines
    for kept in (
        "# Disk full\n",
        "Some **bold**, `df -h`, link.",
        "1. First\n   - inner",
        "   ```bash\n   kubectl get pods\n     -n x\n   ```",
        "| Name | Use |\n| --- | --- |\n| a\\|b | x y |",
        "**term**\n\nmeaning",
        "\\# not a heading",
    ):
        assert kept in parsed.text
    for gone in ("Home", "Imprint", "alert", "¶"):
        assert gone not in parsed.text


def test_tables_of_html_keep_their_rows() -> None:
    page = """<table><tr><td>Menu</td><td>
    <table><tr><th>Port</th><th>Use</th></tr><tr><td>6443</td><td>API server</td></tr></table></td></tr></table>
    <table><tr><th>Check</th><th>How</th></tr><tr><td><pre>df -h</pre></td><td><ul><li>disk</li><li>inodes</li></ul></td></tr>
    </table>
    <table><tr><th>Tier</th><th>Host</th><th>Note</th></tr><tr><td rowspan="2">db</td><td>pg-0</td><td></td></tr>
    <tr><td>pg-1</td><td>standby</td></tr><tr><td colspan="2">all</td><td>x</td></tr><tr><td colspan="100">end</td></tr></table>
    <table><tr><td>Code</td><td><pre>one\ntwo</pre></td></tr></table>"""
    text = read(page, "tables.html").text
    for kept in (
        "Menu\n\n| Port | Use |\n| --- | --- |\n| 6443 | API server |\n",
        "| Check | How |\n| --- | --- |\n| `df -h` | disk; inodes |\n",
        "| db | pg-0 |  |\n| db | pg-1 | standby |\n| all |  | x |\n| end |  |  |\n",
        "```\none\ntwo\n```",
    ):
        assert kept in text


def test_a_page_that_is_one_form_is_read() -> None:
    assert (
        "All the words"
        in read("<html><body><form><p>All the words of the page.</p></form></body></html>", "a.aspx").text
    )


@pytest.mark.parametrize("page", ["<html><body><script>x()</script><div id=root></div></body></html>", "<html></html>"])
def test_a_page_without_text_is_refused(page: str) -> None:
    with pytest.raises(UnsupportedFile, match="no text"):
        read(page, "app.html")


def test_deep_nesting_is_read_without_a_crash() -> None:
    assert "end" in read("<div>" * 2000 + "end", "deep.html").text


@pytest.mark.parametrize(
    ("name", "loader"),
    [
        ("a/README.md", "markdown"), ("x.RST", "rst"), ("x.htm", "html"), ("x.pdf", "pdf"), ("Dockerfile", "code"),
        ("main.go", "code"),
        ("app.yaml", "text"), ("x.log", "text"), ("LICENSE", "text"), ("CMakeLists.txt", "code"), ("thing.bin", None),
        ("noending", None),
    ],
)  # fmt: skip
def test_the_name_tells_the_loader(name: str, loader: str | None) -> None:
    assert loader_for(name) == loader


def test_substitutions_of_rst_stand_for_their_words() -> None:
    text = read(
        "Guide\n=====\n\n.. |version| replace:: 4.2.1\n.. |product| replace:: Acme *Agent*\n   for Linux\n"
        ".. |c| unicode:: U+00A9\n.. |logo| image:: x.png\n   :alt: the logo\n\n"
        "Install |product| |version|_ |c| next to |logo|; |unknown| and a|b|c stay.\n\n"
        ".. parsed-literal::\n\n   pip install acme==|version|\n\n.. code-block:: bash\n   :substitutions:\n\n"
        "   run |version|\n\n"
        ".. code-block:: bash\n\n   echo |version|\n\n"
        "======== ========\nPort     Version\n======== ========\n80       |version|\n======== ========\n",
        "install.rst",
    ).text
    assert "Install Acme *Agent* for Linux 4.2.1 © next to the logo; |unknown| and a|b|c stay." in text
    assert "pip install acme==4.2.1" in text
    assert "run 4.2.1" in text
    assert "echo |version|" in text
    assert "80       4.2.1" in text


def test_tables_and_options_of_rst_keep_what_they_say() -> None:
    source = (
        '.. csv-table:: Ports\n   :header: "Name", "Port"\n   :widths: 10, 10\n\n   "api, public", 8443\n   db, ``5432``\n\n'
        ".. csv-table::\n   :header-rows: 1\n\n   Host,Owner\n   node-k,team-kk\n\n"
        ".. confval:: retry_limit\n   :type: int\n   :default: 17\n   :noindex:\n\n   How often.\n\n"
        "2\\ :sup:`32` entries, CO\\ :sub:`2`\n"
    )
    parsed = read(source, "ports.rst")
    assert "| Name | Port |\n| --- | --- |\n| api, public | 8443 |\n| db | `5432` |" in parsed.text
    assert "| Host | Owner |\n| --- | --- |\n| node-k | team-kk |" in parsed.text
    assert "**retry_limit**\n- type: int\n- default: 17\n" in parsed.text
    assert "noindex" not in parsed.text
    assert "2^32 entries, CO2" in parsed.text
    assert parsed.text.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    ("matter", "title", "told"),
    [
        ("title: >-\n  Long title\n  over two lines\nweight: 2", "Long title over two lines", ""),
        ("title: |\n  Block title\nowner: team-a", "Block title", "owner: team-a"),
        ("title: 'It''s full'\ntags: [a]", "It's full", "tags: [a]"),
        ('title: "Caf\\u00e9: \\"x\\""', 'Café: "x"', ""),
        ("title: Disk: full", "Disk: full", ""),
        ("title: Plain # a comment", "Plain", ""),
        ("sidebar_label: Short\ntitle: Long one", "Long one", ""),
        ("title:\n  - not\n  - a title\nowner: b", "['not', 'a title']", "owner: b"),
    ],
)
def test_titles_of_front_matter_are_read_as_yaml(matter: str, title: str, told: str) -> None:
    source = f"---\n{matter}\n---\n\nBody text.\n"
    parsed = read(source, "page.md")
    assert parsed.title == title
    assert parsed.text[parsed.sections[0].start :].split() == [*told.split(), "Body", "text."]
    assert parsed.text.count("\n") == source.count("\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("At most 2<sup>32</sup>, 5<sup>th</sup>, CO<sub>2</sub>.", "At most 2^32, 5th, CO2."),
        ("<del>Port 80</del> Port 8080", "~~Port 80~~ Port 8080"),
        ('See <a class="x" href="https://x.example/d">the board</a>.', "See [the board](https://x.example/d)."),
        ('<input type="checkbox" checked> Done', "[x] Done"),
        ('{% tabs %}\n{% tab title="Debian" %}\napt\n{% endtab %}\n{% endtabs %}', "**Debian**\napt"),
        ('{{< tabs name="t" >}}{{% tab name="Alpine" %}}\napk\n{{% /tab %}}{{< /tabs >}}', "**t****Alpine**\napk"),
        ('<Tabs>\n<TabItem value="a" label="Alpine">\n\napk\n\n</TabItem>\n</Tabs>', "**Alpine**\n\napk"),
        ('{% include note.html content="Mind the gap." %}', "Mind the gap."),
        ("{{< warning >}}\nHot.\n{{< /warning >}}", "**Warning**\nHot."),
        ("{% raw %}\nUse `{{ x }}` and `{% if %}`.\n{% endraw %}", "Use `{{ x }}` and `{% if %}`."),
        ("{{< highlight bash >}}\n# not a heading\n{{< /highlight >}}", "```bash\n# not a heading\n```"),
        ("{% highlight yaml %}\na: <b>\n{% endhighlight %}", "```yaml\na: <b>\n```"),
        (f"![site map](data:image/png;base64,{'iVBORw0KGgo' * 500})", "site map"),
        (f"[logo]: data:image/png;base64,{'iVBORw0KGgo' * 500}\n\n![the logo][logo]", "the logo"),
    ],
)
def test_tags_of_templates_and_html_in_markdown(source: str, expected: str) -> None:
    parsed = read(f"# Page\n\n{source}\n")
    assert parsed.text.removeprefix("# Page").strip() == expected
    assert parsed.text.count("\n") == source.count("\n") + 3


KEY = "\n".join(f"MIIEowIBAAKCAQEA7{n:02d}x8Qk9vG2kUq3b1ZtHc0aXjT5yPz6LrW4eNmSdFgHjKl" for n in range(26))


@pytest.mark.parametrize("name", ["a.md", "a.txt", "a.yaml", "a.json", "a.html", "a.rst", "a.log", "a.pem"])
@pytest.mark.parametrize("blob", ["QmFzZTY0" * 3000, "9f86d081884c7d65" * 2000, f"{KEY}\n"])
def test_what_only_machines_read_is_shortened(name: str, blob: str) -> None:
    before, after = "The certificate of the gate begins here: ", "\nIt ends here, and the gate is in hall two.\n"
    wrapped = (
        f"<html><body><p>{before}</p><pre>{blob}</pre><p>{after}</p></body></html>"
        if name == "a.html"
        else before + "\n" + blob + after
    )
    parsed = read(wrapped, name)
    assert "the gate is in hall two" in parsed.text
    assert len(parsed.text.split()) < 60
    assert len("".join(parsed.text.split())) < 400


@pytest.mark.parametrize("name", ["app.min.js", "site.css", "bundle.ts"])
def test_minified_code_is_shortened_and_told(name: str) -> None:
    parsed = read("/* licence */\n" + "function a(b){return b+1};" * 20_000 + "\nvar end = 1;\n", name)
    assert len(parsed.text) < 1000
    assert parsed.text.endswith("\nvar end = 1;\n")
    assert [note.code for note in parsed.notes] == ["left_out.machine"]


def test_long_names_and_data_on_one_line_stay() -> None:
    names = "\n".join(
        f"/srv/releases/2026-11-0{n}/usr/share/applications/ledger/nightly/backup/archive.log" for n in range(9)
    )
    rows = "[" + ",".join(f'{{"host":"node-{n}","owner":"team-{n}","port":{8000 + n}}}' for n in range(900)) + "]"
    assert read(names, "files.txt").text == names
    assert read(rows, "export.json").text == rows


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.json", '{"owner": "\\u738b\\u5c0f\\u660e"}', '{"owner": "王小明"}'),
        ("a.json", '{"tab": "a\\u0009b", "e": "\\ud83d\\ude00"}', '{"tab": "a\\u0009b", "e": "😀"}'),
        ("a.properties", "owner=\\u738b\\u5c0f\\u660e\nname=caf\\u00e9\n", "owner=王小明\nname=café\n"),
        ("a.log", '{"log": "{\\"owner\\": \\"\\\\u738b\\"}"}', '{"log": "{\\"owner\\": \\"王\\"}"}'),
        ("a.yaml", 'owner: "\\u738b"\n', 'owner: "王"\n'),
        ("a.jsonl", '{"a": "\\u738b"}\n{"a": "C:\\\\users"}\n', '{"a": "王"}\n{"a": "C:\\\\users"}\n'),
        ("a.md", "Write `\\u738b` for it.\n", "Write `\\u738b` for it.\n"),
    ],
)  # fmt: skip
def test_characters_written_as_escapes_in_data(name: str, source: str, expected: str) -> None:
    assert read(source, name).text == expected
