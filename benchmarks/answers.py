"""How good the answers without a language model are: whether they hold the truth, how long they are, and whether "nothing
answers this" is said where it is so and nowhere else.

CMRC 2018 asks for a span of a Chinese paragraph, AWS for facts of its documentation, the alerts of kube-prometheus for
sections of their runbooks; `unanswerable.json` asks the same documents for what they do not say. Each question is in one
half by the hash of its text: constants are chosen on `dev`, `held back` only says whether they hold. The references are what
the same search found: the text of the best passage, and of the best three.
"""

import argparse
import asyncio
import hashlib
import json
import re
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.retrieval import ingested, rows_of
from benchmarks.table import Cell, report
from devops_chatbot.access.principals import LOCAL
from devops_chatbot.bootstrap import Product, build
from devops_chatbot.chat import Answer, Evidence, Question
from devops_chatbot.config.data_directory import open_data_directory
from devops_chatbot.config.settings import Settings

SETS = ("cmrc2018_zh", "awsdocs_qa", "k8s_alert_runbooks")
SAMPLE = 300
"""Questions of CMRC that are asked: every n-th one."""
EVERY = 8
"""Of the AWS pages that answer nothing, every n-th one is searched too."""
HALVES = ("dev", "held back")
SAYS = 0.8
"""Share of the words of an AWS answer, which its authors wrote in their own words, that have to be said."""
OF_SECTION, LONG = 0.5, 300
"""A runbook's section is there when so much of its lines is, or so many characters of a long one."""
NOTHING = re.compile(r"nothing in your documents (?:clearly answers|fits)|文档中也?没有")

_ALERT_QUESTIONS = {
    "Meaning": ("What does {alert} mean?", "{alert} 是什么意思？"),
    "Impact": ("What is the impact of {alert}?", "{alert} 有什么影响？"),
    "Diagnosis": ("{alert} is firing. What should I check?", "{alert} 告警了，应该检查什么？"),
    "Mitigation": ("How do I fix {alert}?", "{alert} 怎么处理？"),
}
_SYMPTOM_QUESTIONS = {"Diagnosis": "{words} What should I check?", "Mitigation": "{words} How do I fix this?"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question, and what tells of a text whether it holds the truth; None: the documents do not answer it."""

    group: str
    text: str
    holds: Callable[[str], bool] | None
    half: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one way of answering gave to a question."""

    asked: Asked
    text: str
    nothing: bool = False

    @property
    def held(self) -> bool:
        return self.asked.holds is not None and self.asked.holds(self.text)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--keep", type=Path, help="keep the knowledge bases here and use those that are there already")
    parser.add_argument("--set", action="append", choices=SETS, help="name of a set; all without")
    parser.add_argument("--misses", type=Path, help="write every answer that is not right to this file")
    arguments = parser.parse_args()
    found: dict[str, list[Outcome]] = {}
    seconds = 0.0
    with tempfile.TemporaryDirectory(prefix="answers-") as scratch:
        for name in arguments.set or SETS:
            outcomes, took = measure(arguments.data / "rag" / name, arguments.keep or Path(scratch))
            seconds += took
            for by, rows in outcomes.items():
                found.setdefault(by, []).extend(rows)
    command = f"python -m benchmarks.answers --data {arguments.data.name}"
    report("answers", "Answers without a language model, percent", list(_rows(found)), command=command)
    print(f"{1000 * seconds / len(found['answer']):.0f} ms a question, search included")
    if arguments.misses:
        arguments.misses.write_text("\n\n".join(_misses(found["answer"])), "utf-8")


def measure(folder: Path, keep: Path) -> tuple[dict[str, list[Outcome]], float]:
    """The outcomes of one set by each way of answering, and the seconds that the answers took."""
    data = open_data_directory(keep / folder.name)
    product = build(Settings(), data)
    try:
        ingested(product, folder, keep / f"{folder.name}-files", only=_pages(folder))
        ids = product.ids_of([folder.name])
        outcomes: dict[str, list[Outcome]] = defaultdict(list)
        asyncio.run(_ask(product, "warm up", ids))
        begun = time.perf_counter()
        for asked in _asked(folder):
            answer, evidence = asyncio.run(_ask(product, asked.text, ids))
            outcomes["answer"].append(Outcome(asked=asked, text=answer.text, nothing=bool(NOTHING.search(answer.text))))
            for by, passages in (("top passage", evidence[:1]), ("top 3 passages", evidence[:3])):
                outcomes[by].append(Outcome(asked=asked, text="\n\n".join(one.text for one in passages)))
        return outcomes, time.perf_counter() - begun
    finally:
        product.close()
        data.close()


def _pages(folder: Path) -> frozenset[str]:
    """The documents that are searched: of AWS's many, those that answer and some of the others; else all."""
    if folder.name != "awsdocs_qa":
        return frozenset()
    ids = [row["_id"] for row in rows_of(folder, "corpus.jsonl")]
    gold = {line.split("\t")[1] for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]}
    return frozenset({*gold, *ids[::EVERY]})


async def _ask(product: Product, text: str, knowledge_bases: Sequence[str]) -> tuple[Answer, list[Evidence]]:
    evidence: list[Evidence] = []
    async for event in product.scheduler.ask(
        Question(principal=LOCAL, text=text, knowledge_bases=tuple(knowledge_bases))
    ):
        if isinstance(event, Evidence):
            evidence.append(event)
        if isinstance(event, Answer):
            return event, evidence
    raise RuntimeError(f"no answer to {text!r}")


def _asked(folder: Path) -> Iterator[Asked]:
    """The questions of a set, those without an answer last; every other one of a group, by the hash, is held back."""
    questions = {"cmrc2018_zh": _of_cmrc, "awsdocs_qa": _of_aws, "k8s_alert_runbooks": _of_alerts}[folder.name]
    unanswerable = json.loads(Path(__file__).with_name("unanswerable.json").read_text("utf-8"))[folder.name]
    every = [*questions(folder), *(Asked(group="unanswerable", text=text, holds=None) for text in unanswerable)]
    groups: dict[str, list[Asked]] = defaultdict(list)
    for one in every:
        groups[one.group].append(one)
    for group in groups.values():
        for place, one in enumerate(sorted(group, key=lambda each: hashlib.sha256(each.text.encode()).digest())):
            yield replace(one, half=HALVES[place % 2])


def _of_cmrc(folder: Path) -> Iterator[Asked]:
    rows = list(rows_of(folder, "queries.jsonl"))
    for row in rows[:: len(rows) // SAMPLE][:SAMPLE]:
        yield Asked(group="CMRC, Chinese", text=row["text"], holds=_has_one_of(row["answers"]))


def _of_aws(folder: Path) -> Iterator[Asked]:
    for row in rows_of(folder, "queries.jsonl"):
        yield Asked(group="AWS documentation", text=row["text"], holds=_says(row["answer"]))


def _of_alerts(folder: Path) -> Iterator[Asked]:
    """By the alert's name in both languages, and by what it says; each alert is asked for one section of its runbook."""
    texts = {row["_id"]: row["text"] for row in rows_of(folder, "corpus.jsonl")}
    gold: dict[str, list[str]] = defaultdict(list)
    for line in (folder / "qrels.tsv").read_text("utf-8").splitlines()[1:]:
        query, document, _ = line.split("\t")
        gold[query].append(texts[document])
    for number, row in enumerate(rows_of(folder, "queries.jsonl")):
        kind = list(_ALERT_QUESTIONS)[number % len(_ALERT_QUESTIONS)]
        english, chinese = (template.format(alert=row["alert"]) for template in _ALERT_QUESTIONS[kind])
        if holds := _has_section(kind, gold[row["_id"]]):
            yield Asked(group="alerts by name", text=english, holds=holds)
            yield Asked(group="alerts by name, Chinese", text=chinese, holds=holds)
        kind = list(_SYMPTOM_QUESTIONS)[number % len(_SYMPTOM_QUESTIONS)]
        symptom = _SYMPTOM_QUESTIONS[kind].format(words=row["summary"] or row["description"])
        if holds := _has_section(kind, gold[row["_id"]]):
            yield Asked(group="alerts by what they say", text=symptom, holds=holds)


def _has_one_of(spans: Sequence[str]) -> Callable[[str], bool]:
    wanted = {_bare(span) for span in spans}
    return lambda text: any(span in _bare(text) for span in wanted)


def _says(answer: str) -> Callable[[str], bool]:
    wanted = _words(answer)

    def holds(text: str) -> bool:
        return len(wanted & _words(text)) >= SAYS * len(wanted)

    return holds


def _has_section(kind: str, runbooks: Sequence[str]) -> Callable[[str], bool] | None:
    """Whether a text has that section of one of the runbooks; None where no runbook has it."""
    found = [
        match[1]
        for text in runbooks
        if (match := re.search(rf"^## {kind}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    ]
    sections = [[line for line in map(_bare, section.splitlines()) if len(line) > 3] for section in found]
    if not any(sections):
        return None

    def holds(text: str) -> bool:
        said = _bare(text)
        return any(
            sum(len(line) for line in lines if line in said) >= min(LONG, OF_SECTION * sum(map(len, lines)))
            for lines in sections
            if lines
        )

    return holds


def _bare(text: str) -> str:
    """Letters and digits alone, in lower case, links and citation marks left out."""
    text = re.sub(r"\]\([^)]*\)|\[\d+\]", "", text)
    return re.sub(r"[\W_]", "", text).lower()


def _words(text: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+(?:[.-][a-z0-9]+)*", text.replace("\\", "").lower())) - _LITTLE


_LITTLE = frozenset(
    "a an and are as by can for from in is it of on or our that the these this to use used with you your".split()
)


def _rows(found: dict[str, list[Outcome]]) -> Iterator[dict[str, Cell]]:
    groups = list(dict.fromkeys(one.asked.group for one in found["answer"]))
    for half in HALVES:
        for group in (*groups, "all that are answerable"):
            for by, outcomes in found.items():
                these = [
                    one
                    for one in outcomes
                    if one.asked.half == half
                    and (one.asked.group == group or (group not in groups and one.asked.holds is not None))
                ]
                if these:
                    yield _row(half, group, by, these)


def _row(half: str, group: str, by: str, these: Sequence[Outcome]) -> dict[str, Cell]:
    nothing = 100 * sum(one.nothing for one in these) / len(these)
    answerable = these[0].asked.holds is not None
    return {
        "half": half,
        "questions": group,
        "by": by,
        "n": len(these),
        "truth held": round(100 * sum(one.held for one in these) / len(these), 1) if answerable else None,
        "characters, median": int(statistics.median(len(one.text) for one in these)),
        "false nothing": round(nothing, 1) if answerable else None,
        "false confidence": round(100 - nothing, 1) if not answerable else None,
    }


def _misses(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for one in outcomes:
        wrong = (
            ["false confidence"] * (not one.nothing)
            if one.asked.holds is None
            else ["truth missing"] * (not one.held) + ["false nothing"] * one.nothing
        )
        if wrong:
            yield f"=== {one.asked.half} | {one.asked.group} | {', '.join(wrong)} | {one.asked.text}\n{one.text}"


if __name__ == "__main__":
    main()
