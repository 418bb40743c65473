"""Pages, what a search finds of them, and the extracts that are made of it, for the tests of extracts."""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence

from agents.scenarios import SCENARIOS
from devops_chatbot.access.principals import LOCAL
from devops_chatbot.answer.brief import Brief, Cited, WriterEvent, Written
from devops_chatbot.answer.extractive import ExtractiveWriter
from devops_chatbot.chat import Evidence, FoundBy, Token
from devops_chatbot.scheduler.scenarios import load_scenarios
from knowledge.model import Scope
from knowledge.text.tokens import words

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
LETTERS = "".join(f"       -{one}, --option-{one}\n              does what {one} stands for\n\n" for one in "abcdefgh")

MANUAL = (
    "# df\n\nDF(1)                     User Commands                     DF(1)\n\n"
    "NAME\n       df - report file system space usage\n\n"
    f"OPTIONS\n       Mandatory arguments to long options are mandatory for short options too.\n\n{LETTERS}"
    f"       -i, --inodes\n              list inode information instead of block usage\n\n{LETTERS.upper()}"
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


SHIPPED = {scenario.name: scenario for scenario in load_scenarios([SCENARIOS], agents=["docs"]).usable}


class Rarity:
    """Weighs words by how few of the pages have them."""

    def __init__(self, found: Sequence[Evidence]) -> None:
        self._texts = [set(words(f"{one.title} {one.context}")) for one in found]

    def rarity(self, text: str, *, scope: Scope) -> Mapping[str, float]:
        count = len(self._texts)
        return {
            word: math.log1p((count + 0.5) / (sum(word in one for one in self._texts) + 0.5)) for word in words(text)
        }


def compose(question: str, found: Sequence[Evidence] | None) -> Written:
    """The extractive writer's answer, whose pieces are its text; None: nothing was looked for."""
    brief = Brief(
        question=question,
        query=question,
        principal=LOCAL,
        history=(),
        evidence=tuple(found or ()),
        scenario=SHIPPED["chat" if found is None else "docs"],
    )

    async def events() -> list[WriterEvent]:
        return [event async for event in ExtractiveWriter(Rarity(found or ())).write(brief)]

    said = asyncio.run(events())
    last = said[-1]
    assert isinstance(last, Written)
    assert "".join(event.text for event in said if isinstance(event, Token)) == last.text
    assert all(event.citations == last.citations for event in said if isinstance(event, Cited))
    return last
