"""Answers without a language model, as the person who asked reads them."""

import asyncio
import re

import pytest
from langchain_core.messages import HumanMessage

from devops_chatbot.chat import Citation, Evidence, FoundBy
from devops_chatbot.llm.builtin import CITATIONS, EVIDENCE, QUERY, BuiltIn
from devops_chatbot.llm.extract.compose import compose
from knowledge.passages import find_quote

RUNBOOK = """# NodeDiskFull

## Meaning

The alert fires when a file system has less than 5% left.
It is about local disks, e.g. the one below `/var`.

## Impact

Pods are evicted.

## Diagnosis

Find the largest folders:

```shell
du -xh / | sort -h | tail

df -i
```

Then look at these places:

1. `/var/log`, where logs pile up
   - rotated ones too
2. `/var/lib/containerd`

## Mitigation

- Rotate the logs: `journalctl --vacuum-size=200M`
- Remove old images: `crictl rmi --prune`
"""
OTHER = "# NodeDiskSlow\n\n## Meaning\n\nThe disk answers slowly.\n"
TABLE = "# Limits\n\n## Quotas\n\nThese hold for all:\n\n| what | default |\n|---|---|\n" + "".join(
    f"| thing number {number} | {number * 10} units of a long enough description to fill the row |\n"
    for number in range(40)
)
CHINESE = """# 数据库主从延迟

## 说明

从库落后主库超过三十秒时触发。通常由大事务引起。

## 处理步骤

1. 检查从库的磁盘写入速度。
2. 执行 `SHOW REPLICA STATUS`。

长期方案是拆分大事务。
"""
PROSE = (
    "# 光谱\n\n光谱是复色光经过色散系统分光后按波长排列的图案。最大的可见光谱可以覆盖约四百到七百纳米的电磁辐射波长。"
    "光波是由原子内部运动的电子产生的。各种物质的原子内部电子的运动情况不同，所以它们发射的光波也不同。"
    "研究不同物质的发光和吸收光的情况有重要的理论和实际意义。红外光谱一般指大于七百六十纳米的部分。"
    "复色光中有着各种波长的光，这些光在介质中有着不同的折射率。紫外光谱的波长小于四百纳米，人眼看不见它们。\n"
)


def evidence(*pages: str, passage: int = 0, cosine: float = 0.6) -> tuple[Evidence, ...]:
    """One piece a page; its passage is the page's n-th section."""
    found = []
    for number, page in enumerate(pages):
        title = page.splitlines()[0].removeprefix("# ")
        sections = re.split(r"(?m)^(?=## )", page)
        found.append(
            Evidence(
                ref=f"d{number}#v-{passage}",
                title=title,
                text=sections[min(passage, len(sections) - 1)].strip(),
                context=page,
                source_uri=f"{title}.md",
                heading_path=(title,),
                found_by=(FoundBy(index="vector", rank=number + 1, score=cosine),),
            )
        )
    return tuple(found)


def test_it_says_plainly_that_no_language_model_is_connected() -> None:
    assert "No language model is connected" in compose("What does NodeDiskFull mean?", evidence(RUNBOOK)).text
    assert "尚未连接语言模型" in compose("数据库主从延迟怎么处理？", evidence(CHINESE)).text
    for question, found in (("hello", None), ("What is it?", ())):
        assert "No language model is connected" in compose(question, found).text
    for question, found in (("你好", None), ("这是什么？", ())):
        assert "尚未连接语言模型" in compose(question, found).text


@pytest.mark.parametrize(
    ("question", "holds", "lacks"),
    [
        ("What does NodeDiskFull mean?", "less than 5% left", "journalctl"),
        ("How do I fix NodeDiskFull?", "journalctl --vacuum-size=200M", "evicted"),
        ("What should I check when NodeDiskFull fires?", "du -xh / | sort -h | tail", "journalctl"),
        ("What is the impact of NodeDiskFull?", "Pods are evicted.", "du -xh"),
        ("NodeDiskFull 是什么意思？", "less than 5% left", "journalctl"),
    ],
)
def test_the_section_that_is_asked_for_comes(question: str, holds: str, lacks: str) -> None:
    text = compose(question, evidence(RUNBOOK, OTHER)).text
    assert holds in text
    assert lacks not in text


@pytest.mark.parametrize(
    "question", ["NodeDiskFull is firing, what do I do?", "How do I handle NodeDiskFull?", "NodeDiskFull 怎么办？"]
)
def test_who_asks_what_to_do_is_told_where_to_look_and_how_to_mend(question: str) -> None:
    text = compose(question, evidence(RUNBOOK)).text
    assert text.index("du -xh") < text.index("journalctl")
    assert "evicted" not in text


def test_a_chinese_question_finds_its_section_in_english_documents() -> None:
    english = RUNBOOK.replace("NodeDiskFull", "etcdMembersDown")
    text = compose("etcd 成员掉线怎么处理？", evidence(english, OTHER)).text
    assert "journalctl --vacuum-size=200M" in text
    assert "evicted" not in text


def test_an_introduction_goes_with_what_was_said_already() -> None:
    first = "# DiskFull\n\n## Mitigation\n\nRemove unused images:\n\n```shell\ncrictl rmi --prune\n```\n\nGrow the volume.\n"
    second = (
        "# DiskFullSoon\n\n## Mitigation\n\nFix DiskFullSoon like DiskFull, and order a larger disk at the help desk.\n\n"
        "Until then, drop what nobody uses:\n\n```shell\ncrictl rmi --prune\n```\n\nWatch it for a week.\n"
    )
    text = compose("How do I fix DiskFull and DiskFullSoon?", evidence(second, first)).text
    assert "larger disk" in text
    assert "Grow the volume" in text
    assert text.count("crictl rmi --prune") == 1
    assert text.count("unused images:") + text.count("nobody uses:") == 1


def test_a_name_alone_gives_the_whole_page_in_reading_order() -> None:
    text = compose("NodeDiskFull", evidence(RUNBOOK, passage=3)).text
    places = [text.index(words) for words in ("less than 5%", "evicted", "du -xh", "journalctl")]
    assert places == sorted(places)
    assert "**NodeDiskFull › Meaning**" in text


def test_code_and_lists_stay_whole() -> None:
    text = compose("How do I investigate NodeDiskFull?", evidence(RUNBOOK)).text
    assert "```shell\ndu -xh / | sort -h | tail\n\ndf -i\n```" in text
    assert "1. `/var/log`, where logs pile up\n   - rotated ones too\n2. `/var/lib/containerd`" in text
    assert text.count("```") % 2 == 0


def test_the_named_page_comes_first_whatever_the_search_says() -> None:
    text = compose("How do I fix NodeDiskFull?", evidence(OTHER, RUNBOOK)).text
    assert "NodeDiskFull › Mitigation" in text.split("\n\n")[1]


def test_a_long_table_gives_its_head_and_the_row_that_fits() -> None:
    extract = compose("What is the default of thing number 17?", evidence(TABLE))
    assert "| what | default |" in extract.text
    assert "| thing number 17 | 170 units" in extract.text
    assert "thing number 23 " not in extract.text
    assert "thing number 17" in extract.citations[0].quote


def test_a_chinese_question_gets_whole_chinese_sentences() -> None:
    text = compose("数据库主从延迟怎么处理？", evidence(CHINESE)).text
    assert "1. 检查从库的磁盘写入速度。\n2. 执行 `SHOW REPLICA STATUS`。" in text
    text = compose("紫外光谱的波长是多少？", evidence(PROSE)).text
    assert "紫外光谱的波长小于四百纳米" in text
    said = text.split("**光谱**")[1]
    assert all(part.rstrip().endswith(("。", "。[1]")) for part in said.split("…")), said


def test_every_citation_stands_in_its_evidence_word_for_word() -> None:
    found = evidence(RUNBOOK, OTHER, CHINESE, TABLE)
    for question in (
        "NodeDiskFull",
        "How do I fix NodeDiskFull?",
        "数据库主从延迟怎么处理？",
        "thing number 17 default",
    ):
        extract = compose(question, found)
        numbers = {int(number) for number in re.findall(r"\[(\d+)\]", extract.text)}
        assert numbers == {citation.number for citation in extract.citations}, question
        assert [citation.number for citation in extract.citations] == list(range(1, len(numbers) + 1))
        for citation in extract.citations:
            one = next(one for one in found if one.ref == citation.ref)
            assert find_quote(one.context, citation.quote), citation.quote


def test_what_fits_nothing_is_said_to_fit_nothing() -> None:
    foreign = compose("How do I bake a chocolate cake?", evidence(RUNBOOK, OTHER, cosine=0.1))
    assert "nothing in your documents fits" in foreign.text
    assert not foreign.citations
    near = compose("How do I bake a chocolate disk?", evidence(RUNBOOK, OTHER, cosine=0.3))
    assert "nothing in your documents clearly answers" in near.text
    assert near.citations


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


def test_two_pages_of_one_name_are_told_apart() -> None:
    first, second = evidence(
        RUNBOOK, RUNBOOK.replace("Pods are evicted.", "Everything else on this node goes down at once.")
    )
    text = compose("What is the impact of NodeDiskFull?", (first, second)).text
    assert "Pods are evicted." in text


@pytest.mark.parametrize("text", ["", "   ", "```", "- ", "|", "# ", "\x00", "[1]", "a" * 50_000, "。" * 3000, "> \n>"])
def test_odd_passages_do_no_harm(text: str) -> None:
    one = Evidence(ref="d1#v-0", title="", text=text, context=text, source_uri="")
    for question in ("what is it?", "", "[1]", "怎么办"):
        assert compose(question, (one, one)).text


def test_the_model_is_one_of_langchains() -> None:
    model = BuiltIn().open()
    beside = {EVIDENCE: evidence(RUNBOOK), QUERY: "How do I fix NodeDiskFull?"}
    message = HumanMessage("prompt", additional_kwargs=beside)
    whole = model.invoke([message])
    assert "journalctl" in whole.text

    async def pieces() -> list[str]:
        return [chunk.text async for chunk in model.astream([message])]

    streamed = asyncio.run(pieces())
    assert len(streamed) > 3
    assert "".join(streamed) == "".join(chunk.text for chunk in model.stream([message])) == whole.text
    assert all(isinstance(one, Citation) for one in whole.additional_kwargs[CITATIONS])
