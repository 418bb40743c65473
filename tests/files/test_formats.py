"""One list of formats: what a name and the lines of a file tell to the loaders, to answers and to pages."""

import pytest

from knowledge.loaders import load, loader_for, loaders
from knowledge.text import formats
from knowledge.text.formats import language_of_file, shape_of

CRONTAB = "# nightly\n30 2 * * * /usr/bin/backup --zone b\n@reboot /usr/bin/warm\n*/5 * * * * root /usr/bin/poll\n"
HOSTS = "127.0.0.1 localhost\n10.2.3.4\tdb-prod-07 db7\n::1 ip6-localhost\n# old\n10.2.3.9 db-prod-09\n"
PROSE = (
    "The disk is full.  Look at the logs.\nNote: call the team.\n\n"
    "* one thing to do\n* another thing\n1. First step\n2. Second step\n"
)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("inventory.csv", "csv"), ("a.tsv", "tsv"), ("backup.service", "ini"), ("b.timer", "ini"), ("alerts.rules", "yaml"),
        ("fix.diff", "diff"), ("events.jsonl", "jsonl"), ("run.out", "log"), ("crontab", "text"), ("etc/hosts", "text"),
        ("app.log.1", "log"), ("app.log.2026-11-01", "log"), ("nginx.conf.example", "ini"), ("values.yaml.bak", "yaml"),
        ("syslog.3", "log"), ("requirements.txt", "text"), ("web.container", "ini"), ("Dockerfile.old", "dockerfile"),
    ],
)  # fmt: skip
def test_names_of_data_and_settings(name: str, language: str) -> None:
    assert language_of_file(name) == language
    assert loader_for(name) == ("code" if language == "dockerfile" else "text")
    parsed = load(b"a b\nc d\n", name)
    assert parsed.code_language == language
    assert shape_of(name) == ("code" if language == "dockerfile" else "lines")


@pytest.mark.parametrize("text", [CRONTAB, HOSTS, "a = 1\nb.c: 2\n", "Host    Owner\nnode-k  team-kk\n"])
@pytest.mark.parametrize("name", ["cron.d/backup", "etc/nameless", "dump.txt"])
def test_lines_tell_what_a_name_does_not(name: str, text: str) -> None:
    assert load(text.encode(), name).code_language == "text"
    assert shape_of(name, text) == "lines"


@pytest.mark.parametrize("name", ["runbook.txt", "README", "nameless"])
def test_running_text_stays_prose(name: str) -> None:
    assert load(PROSE.encode(), name).code_language is None
    assert shape_of(name, PROSE) == "prose"


def test_every_format_of_the_list_has_its_loader_and_one_shape() -> None:
    suffixes = [formats.MARKDOWN, formats.RST, formats.HTML, formats.PDF, formats.PROSE, formats.CODE, formats.LINES]
    assert sum(map(len, suffixes)) == len(frozenset[str]().union(*suffixes))
    read = frozenset[str]().union(*(loaders().found[name].suffixes for name in loaders().found))
    assert frozenset[str]().union(*suffixes) <= read
    assert not read & formats.UNREADABLE.keys()


def test_the_head_of_a_table_of_values_stands_above_its_rows() -> None:
    rows = "".join(f"node-{number},{number},team-{number}\n" for number in range(40))
    assert [s.heading_path for s in load(f"host,rack,owner\n{rows}".encode(), "a.csv").sections] == [
        ("host, rack, owner",)
    ]
    assert [s.heading_path for s in load(b"1,2\n3,4\n", "a.csv").sections] == [()]
