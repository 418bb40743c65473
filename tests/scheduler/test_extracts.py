"""Answers without a language model, as the person who asked reads them."""

import re

import pytest
from scheduler.found import CHINESE, MANUAL, OTHER, PROSE, RUNBOOK, TABLE, compose, evidence

from knowledge.catalog.chunks import find_quote


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


def test_the_named_page_comes_first_whatever_the_search_says() -> None:
    text = compose("How do I fix NodeDiskFull?", evidence(OTHER, RUNBOOK)).text
    assert "NodeDiskFull › Mitigation" in text.split("\n\n")[1]


HANDBOOK = """# On-call handbook

## Who is on call

| team | primary | channel |
|---|---|---|
| payments | Ana Costa | #pay-oncall |
| platform | Tom Berg | #plat-oncall |

## Roll back

```bash
kubectl rollout undo deployment/checkout-service
```

## Roll out

```bash
./promote.sh checkout-service
```

## After an incident

Write a postmortem within five working days. Blame nobody.
"""
ROLLING = (
    "# Deploying and rolling back\n\n## Deploy\n\n```bash\n./promote.sh checkout-service\n```\n\n"
    "## Roll back\n\n```bash\nkubectl rollout undo deployment/checkout-service\n```\n\n## Flags\n\nTurn them off first.\n"
)
HANDBOOK_ZH = """# 磁盘与内存故障处理手册

本手册适用于所有 Linux 生产主机。

## 磁盘空间不足

### 现象

使用率超过 85% 时触发 `DiskSpaceLow` 告警。

### 排查

先找出占用最大的目录：`du -xh /`

### 处理

1. 清理超过 7 天的日志。
2. 联系存储组扩容。

## 内存不足

### 现象

内核日志出现 `Out of memory`。

### 处理

重启该服务，并提高内存上限。
"""


@pytest.mark.parametrize(
    ("question", "page", "holds", "lacks"),
    [
        ("who is on call for payments?", HANDBOOK, ["Ana Costa"], ["postmortem", "rollout undo"]),
        ("how do I roll back checkout-service?", HANDBOOK, ["rollout undo"], ["promote.sh", "Ana Costa"]),
        ("rollback checkout-service", HANDBOOK, ["rollout undo"], ["promote.sh", "Ana Costa"]),
        ("rollback checkout-service", ROLLING, ["rollout undo"], ["promote.sh"]),
        ("postmortem deadline", HANDBOOK, ["within five working days"], ["Ana Costa"]),
        ("磁盘空间不足怎么办？", HANDBOOK_ZH, ["du -xh /", "联系存储组扩容"], ["85%", "提高内存上限"]),
        ("内存不足怎么处理？", HANDBOOK_ZH, ["提高内存上限"], ["联系存储组扩容", "Out of memory"]),
        ("DiskSpaceLow 告警", HANDBOOK_ZH, ["85%", "du -xh /", "联系存储组扩容"], ["提高内存上限"]),
        ("df inode usage", MANUAL, ["list inode information"], ["--option-a", "--OPTION-B"]),
    ],
)
def test_of_a_page_on_many_things_only_what_is_asked_comes(
    question: str, page: str, holds: list[str], lacks: list[str]
) -> None:
    text = compose(question, evidence(page)).text
    for words in holds:
        assert words in text
    for words in lacks:
        assert words not in text


def test_each_of_two_things_that_are_asked_for_at_once_comes() -> None:
    page = "# 快速开始\n\n## 准备\n\n需要两个处理器核心。\n\n## 用一条命令启动\n\n运行 `make serve`。"
    page += "\n\n## 提出第一个问题\n\n打开网页。\n\n## 导入一个文件夹\n\n1. 新建知识库。\n2. 把文件拖进去。"
    page += "\n\n## 数据放在哪里\n\n都在一个目录下。\n"
    text = compose("怎样用一条命令启动并导入一个文件夹？", evidence(page)).text
    assert "make serve" in text
    assert "把文件拖进去" in text
    assert "处理器" not in text


def test_a_name_with_a_wrong_letter_and_two_names_at_once_are_understood() -> None:
    assert "NodeDiskFull › Mitigation" in compose("how do i fix NodeDiskFul?", evidence(OTHER, RUNBOOK)).text
    used = (
        "# QuotaFullyUsed\n\n## Meaning\n\nThe quota of a namespace is used up.\n\n## Mitigation\n\nReview the quota.\n"
    )
    over = used.replace("QuotaFullyUsed", "QuotaExceeded").replace("used up", "used up and exceeded")
    both = compose("QuotaExceeded vs QuotaFullyUsed", evidence(used, over)).text
    assert "is used up." in both
    assert "used up and exceeded" in both
    assert "Review" not in both


def test_a_chinese_question_about_an_english_page_is_clear_when_it_names_what_the_page_is_about() -> None:
    page = (
        "# Redis operations\n\n## Memory\n\nRedis evicts keys when `maxmemory` is reached.\n\n"
        "## Restart\n\nRestart the replica first.\n"
    )
    text = compose("Redis 内存满了怎么办？", evidence(page, CHINESE, cosine=0.3)).text
    assert "evicts keys" in text
    assert "没有明确回答" not in text


def test_what_has_another_name_than_the_question_is_no_answer() -> None:
    page = "# Database\n\n## Check the replication lag\n\nRun `SHOW REPLICA STATUS` on MySQL.\n"
    assert "clearly answers" in compose("How do I check the replication lag on Oracle?", evidence(page)).text
    assert "fits this question" in compose("FooBarBazFailing", evidence(RUNBOOK, cosine=0.3)).text
    assert "与这个问题相关" in compose("打印机怎么连接？", evidence(HANDBOOK_ZH, cosine=0.55)).text


def test_the_sentence_that_answers_comes_and_not_the_one_that_has_the_name() -> None:
    text = compose("光谱由什么产生的光波？", evidence(PROSE)).text
    assert "由原子内部运动的电子产生" in text
    page = (
        "# 虹彩鹦鹉\n\n虹彩鹦鹉又称彩虹鹦鹉，颜色鲜艳，体长二十五厘米左右，体重一百二十克左右，是常见的观赏鸟类之一。"
        "虹彩鹦鹉分布在印度尼西亚、东帝汶和澳大利亚东部以及北部等地。"
        "虹彩鹦鹉聪敏机灵，语言能力也相当不错。野生状态下，它们生活在低地森林等处，成群结队地快速飞行。十二月份为其发情期，但一般全年都可交配。"
        "每窝产卵两到三枚，孵化期二十五天。它们的食物主要为花蜜和花粉，也吃植物种子、嫩叶和昆虫，在果园里常被当作害鸟。"
        "自二十世纪初以来，在一些南方的城市里也发现了由人放生而繁殖起来的群落。虹彩鹦鹉常被人认为包含了另一个亚种，但大多数专家认为两者是独立的，目前还没有定论。\n"
    )
    text = compose("虹彩鹦鹉每窝产卵多少枚？", evidence(page)).text
    assert "每窝产卵两到三枚" in text


def test_a_section_that_only_points_elsewhere_is_not_the_answer() -> None:
    page = "# Alerts\n\n## queue\n\n`QueueDepthHigh`: see [Kafka](kafka.md) for its lag.\n"
    kafka = "# Kafka operations\n\n## Consumer lag\n\nCheck the lag with `kafka-consumer-groups.sh --describe`.\n"
    assert "kafka-consumer-groups.sh" in compose("kafka lag is high", evidence(page, kafka)).text


def test_a_question_for_one_thing_of_a_long_section_gets_its_passage_and_not_the_beginning() -> None:
    page = TABLE.replace("## Quotas\n\n", "").replace("# Limits", "# Limits of the service") + "\nThey can be raised.\n"
    page = page.replace("These hold for all:", "Each account has limits. " * 60 + "\n\nThese hold for all:")
    text = compose("What is the default of thing number 17 in the limits of the service?", evidence(page)).text
    assert "| thing number 17 | 170 units" in text
    assert text.count("Each account has limits.") < 5


def test_a_question_with_the_words_of_a_title_is_not_about_that_page() -> None:
    first = "# Train a model with Acme Studio\n\nThe library provided by Acme Studio is similar to Spark.\n"
    named = "# What is Acme Studio?\n\nAcme Studio is a service for people who train. It has many parts.\n"
    text = compose("Is the library provided by Acme Studio similar to Spark?", evidence(first, named)).text
    assert "similar to Spark" in text.split("\n\n")[2]


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
    near = compose("How do I encrypt a file system?", evidence(RUNBOOK, OTHER, cosine=0.3))
    assert "nothing in your documents clearly answers" in near.text
    assert near.citations


def test_two_pages_of_one_name_are_told_apart() -> None:
    first, second = evidence(
        RUNBOOK, RUNBOOK.replace("Pods are evicted.", "Everything else on this node goes down at once.")
    )
    text = compose("What is the impact of NodeDiskFull?", (first, second)).text
    assert "Pods are evicted." in text
