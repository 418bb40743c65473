"""Of what a tool says nothing is lost, and no secret gets through."""

import re

import pytest
from agent_desk import Kept

from agents.tool_output import LONGEST_LINE, PAGE_LINES, ToolOutput, page, search
from devops_chatbot.redaction import Redactor

MOST = 3000


def read(whole: str) -> str:
    """All pages of an output, put together."""
    said, line = list[str](), 1
    while not (shown := page(whole, line, PAGE_LINES)).startswith("There are only"):
        said += [each.partition(": ")[2] for each in shown.split("\n")[1:]]
        line += PAGE_LINES
    return "".join(said)


@pytest.mark.parametrize(
    "said",
    [
        "\n".join(f"line {number}" for number in range(5000)),
        "x" * 50_000 + "needle" + "y" * 50_000,
        "\n".join("a" * (number * 37 % 4000) for number in range(300)) + "\n",
        "\n" * 10_000,
        "日志" * 20_000,
    ],
)
def test_what_is_not_shown_can_be_read(said: str) -> None:
    kept = Kept()
    excerpt = ToolOutput(Redactor(), kept).take(said, key="t/calls/c", call="c", most=MOST)
    assert excerpt.chars == len(said)
    assert len(excerpt.text) < MOST + 300
    assert read(kept.texts["t/calls/c"]) == said.replace("\n", "")
    told = re.search(r"lines (\d+) to (\d+) of (\d+) are not shown", excerpt.text)
    assert told is not None
    first, last, total = map(int, told.groups())
    hidden = [
        each.partition(": ")[2]
        for line in range(first, last + 1, PAGE_LINES)
        for each in page(said, line, min(PAGE_LINES, last + 1 - line)).split("\n")[1:]
    ]
    before, _, after = excerpt.text.partition(told[0])
    shown = len(before.rpartition("\n[")[0]) + len(after.partition("]\n")[2]) + sum(map(len, hidden))
    assert shown >= len(said) - said.count("\n"), "head, hidden lines and tail are all of it"
    assert total >= last >= first


def test_words_are_found_wherever_a_long_line_is_parted() -> None:
    line = "x" * (LONGEST_LINE - 3) + "Needle" + "y" * 5000
    assert search(line, "needle").startswith("1 of 7 lines\n1: ")
    assert search(line, "absent") == "None of the 7 lines contains 'absent'."
    assert "… and 4950 more, the next in line 51" in search("\n".join(["hit"] * 5000), "hit")


def test_what_fits_is_shown_whole_and_not_kept() -> None:
    kept = Kept()
    assert ToolOutput(Redactor(), kept).take("short", key="k", call="c", most=MOST).text == "short"
    assert not kept.texts


@pytest.mark.parametrize(
    "secret",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "aB3d" * 9,
        "glpat-" + "x1Y2" * 5,
        "xoxb-1234567890-abcdefghij",
        "sk-ant-" + "a1b2c3d4" * 4,
        "AIza" + "Sy0123456789abcdefghijklmnopqrstuvw",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA7\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_tokens_are_known_by_their_form(secret: str) -> None:
    shown = Redactor().text(f"before {secret} after")
    assert secret not in shown
    assert shown.startswith("before [hidden: ")
    assert shown.endswith("] after")


@pytest.mark.parametrize(
    ("text", "gone", "stays"),
    [
        ("postgresql://app:s3cr3tPassw0rd@db/shop", "s3cr3tPassw0rd", "postgresql://app:"),
        ("Authorization: Bearer abcdef0123456789ABCDEF", "abcdef0123456789ABCDEF", "Authorization: Bearer "),
        ('{"db_password": "kR9#vQ2!zX7p"}', "kR9#vQ2!zX7p", '"db_password": "'),
        ("export API_KEY=9f8e7d6c5b4a3210ffee", "9f8e7d6c5b4a3210ffee", "API_KEY="),
        ("our own words: opensesame-123", "opensesame-123", "our own words"),
    ],
)
def test_secrets_are_known_by_their_place_and_by_the_settings(text: str, gone: str, stays: str) -> None:
    shown = Redactor(["opensesame-123"]).text(text)
    assert gone not in shown
    assert stays in shown


@pytest.mark.parametrize(
    "text",
    [
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 took 3 ms",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the token bucket is empty; password: ********",
        "password=$DB_PASSWORD secret: <your secret>",
        'node_cpu_seconds_total{cpu="0"} 12345.678',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().text(text) == text
