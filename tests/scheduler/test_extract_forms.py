"""Answers without a language model: how documents of every form are quoted."""

from dataclasses import replace

import pytest
from scheduler.found import MANUAL, RUNBOOK, TABLE, compose, evidence

from devops_chatbot.chat import Evidence
from knowledge.catalog.chunks import find_quote


def test_code_and_lists_stay_whole() -> None:
    text = compose("How do I investigate NodeDiskFull?", evidence(RUNBOOK)).text
    assert "```shell\ndu -xh / | sort -h | tail\n\ndf -i\n```" in text
    assert "1. `/var/log`, where logs pile up\n   - rotated ones too\n2. `/var/lib/containerd`" in text
    assert text.count("```") % 2 == 0


def test_an_entry_of_a_manual_page_stays_as_it_is_laid_out() -> None:
    assert (
        "```\n-i, --inodes\n       list inode information instead of block usage\n"
        in compose("df inode", evidence(MANUAL)).text
    )


def test_passages_that_overlap_are_quoted_once_and_each_opens_where_it_stands() -> None:
    steps = [
        f"{number}. Step {number} of the resize, which says `resize --part {number}` to the volume."
        for number in range(1, 7)
    ]
    head = "## Resize the volume\n\n"
    first, second = head + "\n".join(steps[:4]), "\n".join(steps[2:])
    found = tuple(
        replace(
            evidence(RUNBOOK)[0],
            ref=f"d0#v-{number}",
            title="Volume",
            text=text,
            context=text,
            heading_path=("Volume", "Resize the volume"),
        )
        for number, text in enumerate((first, second))
    )
    extract = compose("How do I resize the volume?", found)
    for number in range(1, 7):
        assert extract.text.count(f"Step {number} ") == 1
    assert extract.text.index("Step 1") < extract.text.index("Step 6")
    for citation in extract.citations:
        one = next(one for one in found if one.ref == citation.ref)
        assert find_quote(one.context, citation.quote) is not None


def test_items_that_were_left_out_leave_dots_so_that_no_list_counts_wrongly() -> None:
    items = [
        f"- Part {number} of the machine needs oil of the kind {'abcdefgh'[number - 1] * 60}.\n   {'x' * 120}"
        for number in range(1, 9)
    ]
    page = "# Machine\n\nAbout it.\n\n## Care\n\nIt is old.\n\n" + "\n".join(items) + "\n"
    text = compose("machine part 5 oil", evidence(page, passage=2)).text
    assert "…\n\n- Part 5" in text
    assert "Part 2 " not in text


def test_a_text_that_begins_inside_code_does_not_turn_code_into_words() -> None:
    torn = (
        "    ip-10-0-175-99   Ready   worker\n```\n\nIf a node is not ready, look at its events:\n\n"
        "```bash\noc get events | grep NODE\n```\n"
    )
    text = compose(
        "node is not ready events",
        (replace(evidence(RUNBOOK)[0], title="Nodes", text=torn, context=torn, heading_path=("Nodes",)),),
    ).text
    assert "```bash\noc get events | grep NODE\n```" in text
    assert "If a node is not ready, look at its events:" in text
    assert text.count("```") % 2 == 0
    assert "````" not in text


def test_what_is_nothing_but_links_is_no_answer() -> None:
    page = "# Types\n\nA type is described by a structure.\n\n![types](types.png)\n\n[Home](a.md) [Next](b.md)\n"
    text = compose("Types of libffi", evidence(page)).text
    assert "described by a structure" in text
    assert "Home" not in text


def test_steps_before_the_one_that_fits_are_never_left_out() -> None:
    words = ("Stop the writers.", "Take a snapshot and check it.", "Wait. " * 60, "Delete all with `wipe /dev/x`.")
    steps = "".join(f"{number}. {step}\n" for number, step in enumerate(words, 1))
    after = f"Then look at the monitors. {'They are many. ' * 40}"
    page = f"# Storage\n\n## Quotas\n\nAsk for more.\n\n## Volumes\n\nThey grow.\n\n{steps}\n{after}\n"
    text = compose("How do I wipe /dev/x?", evidence(page, passage=2)).text
    assert text.index("Stop the writers") < text.index("Take a snapshot") < text.index("wipe /dev/x")


def test_lines_that_were_broken_on_purpose_stay_so() -> None:
    page = "# API\n\n## Parameters\n\n** LayerName **  \nThe name of the layer.  \nRequired: Yes\n"
    assert (
        "**LayerName**  \nThe name of the layer.  \nRequired: Yes [1]"
        in compose("API parameters", evidence(page, passage=1)).text
    )


def test_a_long_table_gives_its_head_and_the_row_that_fits() -> None:
    extract = compose("What is the default of thing number 17?", evidence(TABLE))
    assert "| what | default |" in extract.text
    assert "| thing number 17 | 170 units" in extract.text
    assert "thing number 23 " not in extract.text
    assert "thing number 17" in extract.citations[0].quote


def test_markup_that_leads_nowhere_is_tidied_and_code_is_not() -> None:
    page = (
        "---\ntitle: x\n---\n# Pump\n\n<!-- hidden -->\nThe pump [stops](./other.md) at 90 °C[3]; see "
        "[the manual](https://example.org/m). ![pic](a.png) Use `pump[3] <b>`.<br>\n\n{{< hint >}}\n"
    )
    text = compose("When does the pump stop?", evidence(page)).text
    assert "The pump stops at 90 °C; see [the manual](https://example.org/m)." in text
    assert "`pump[3] <b>`" in text
    for gone in ("hidden", "a.png", "<br>", "hint", "title: x"):
        assert gone not in text


def test_source_code_is_quoted_as_code() -> None:
    code = "def retry(times):\n    # tries again\n    return times + 1"
    one = Evidence(ref="d1#v-0", title="retry.py", text=code, context=code, source_uri="src/retry.py")
    assert f"```python\n{code}\n```" in compose("Where is retry defined?", (one,)).text


@pytest.mark.parametrize("text", ["", "   ", "```", "- ", "|", "# ", "\x00", "[1]", "a" * 50_000, "。" * 3000, "> \n>"])
def test_odd_passages_do_no_harm(text: str) -> None:
    one = Evidence(ref="d1#v-0", title="", text=text, context=text, source_uri="")
    for question in ("what is it?", "", "[1]", "怎么办"):
        assert compose(question, (one, one)).text


@pytest.mark.parametrize(
    ("name", "text", "question", "line"),
    [
        (
            "inventory.csv",
            "host,rack,owner\n" + "".join(f"node-{n},{n},team-{n}\n" for n in range(40)),
            "Who owns node-17?",
            "node-17,17,team-17",
        ),
        ("hosts.tsv", "host\towner\nnode-k\tteam-kk\nnode-l\tteam-ll\n", "Who owns node-k?", "node-k\tteam-kk"),
        (
            "cron.d/backup",
            "# nightly backup of the ledger\n30 2 * * * root /usr/bin/ledger-backup\n\n*/5 * * * * root /usr/bin/poll\n",
            "When does the ledger-backup run?",
            "# nightly backup of the ledger\n30 2 * * * root /usr/bin/ledger-backup",
        ),
        (
            "etc/hosts",
            "10.2.3.4 db-prod-07\n10.2.3.5 db-prod-08\n",
            "What is the address of db-prod-07?",
            "10.2.3.4 db-prod-07",
        ),
        (
            "backup.service",
            "[Unit]\nDescription=Backup of the ledger\n\n"
            "[Service]\nType=oneshot\nExecStart=/usr/bin/x --zone b\nTimeoutStartSec=900\n",
            "Which command does the backup of the ledger start?",
            "Type=oneshot\nExecStart=/usr/bin/x --zone b\nTimeoutStartSec=900",
        ),
        (
            "events.jsonl",
            "".join(f'{{"event": "E{n}", "owner": "team-{n}"}}\n' for n in range(30)),
            "Who is the owner of E17?",
            '{"event": "E17", "owner": "team-17"}',
        ),
    ],
)  # fmt: skip
def test_lines_of_data_stand_on_lines_of_their_own(name: str, text: str, question: str, line: str) -> None:
    found = [replace(one, source_uri=name, title=name, heading_path=()) for one in evidence(text)]
    answer = compose(question, tuple(found)).text
    shown = answer.partition("```")[2].partition("```")[0]
    assert f"\n{line}\n" in shown
    assert len(answer) < 900


@pytest.mark.parametrize("name", ["Test", "Staging", "Production"])
def test_the_same_step_in_several_sections_is_cited_below_its_own_heading(name: str) -> None:
    sections = [
        f"## {each}\n\nRestart the ledger with `ledgerctl restart --all`.\n\nThe {each} cluster has node {each}-0."
        for each in ("Test", "Staging", "Production")
    ]
    page = "# Restart guide\n\n" + "\n\n".join(sections)
    found = tuple(
        replace(
            evidence(page)[0],
            ref=f"d0#v-{number}",
            text=text,
            context=text,
            heading_path=("Restart guide", text[3 : text.index("\n")]),
        )
        for number, text in enumerate(sections)
    )
    for passages in (found, (replace(found[0], text=page, context=page, heading_path=("Restart guide",)),)):
        extract = compose(f"How do I restart the ledger in {name.lower()}?", passages)
        marked = [cited for cited in extract.citations if "ledgerctl" in cited.quote]
        assert ("Restart guide", name) in [cited.heading_path for cited in marked]
