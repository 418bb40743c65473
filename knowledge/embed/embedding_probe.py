"""Examines an embedding model: how far it understands the language of a query, and how it places its cosines.

A model that was trained on English alone gives vectors for Chinese too, and they are noise. Nothing in one query's scores
shows that surely, so the model is examined once: it has to find the paraphrase of each of some everyday sentences among
the others. all-MiniLM-L6-v2 finds all of them in English and none in Chinese; chance is one in eight.

Models also differ in what a cosine means: 0.8 is the same sentence to one of them and any two sentences to another. Where
several models search together, each one's cosines are read on the scale of sentences of which we know what they share.
"""

import re
from collections.abc import Sequence
from typing import Protocol

PARAPHRASES = (
    ("磁盘空间不足怎么办", "硬盘满了如何清理"),
    ("服务启动失败的原因", "程序为什么跑不起来"),
    ("如何修改登录密码", "怎样更换账号口令"),
    ("网络延迟很高", "连接速度变得特别慢"),
    ("内存泄漏如何排查", "进程占用的存储越来越多怎么查"),
    ("证书什么时候过期", "凭证的有效期到哪天"),
    ("备份数据库的方法", "怎样保存一份数据副本"),
    ("增加服务器的数量", "扩容更多机器"),
)
"""Sentences that mean the same in other words."""

ENGLISH_PARAPHRASES = (
    ("The disk is full", "No space is left on the device"),
    ("Why does the service not start?", "The program fails to launch"),
    ("How do I change my password?", "Setting new login credentials"),
    ("Network latency is high", "The connection has become very slow"),
    ("Finding a memory leak", "A process uses more and more RAM"),
    ("When does the certificate expire?", "How long the TLS cert stays valid"),
    ("Ways to back up the database", "Making a copy of the stored data"),
    ("Increase the number of servers", "Scaling out to more machines"),
)
NARROWEST = 0.05
"""A model that tells paraphrases from other sentences by less is taken to tell them by this much."""

_FOREIGN = re.compile(r"[^\W\d_\u0041-\u024f]")
_LATIN_WORD = re.compile(r"[\u0041-\u024f]{2,}")
CHARACTERS_A_WORD = 2
"""A Chinese word has about two characters."""


class TextEmbedder(Protocol):
    """The part of an embedding model that is examined."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...


def foreign_share(text: str) -> float:
    """The share of a text's words that are not in Latin script, in [0, 1]."""
    foreign = len(_FOREIGN.findall(text)) / CHARACTERS_A_WORD
    if not foreign:
        return 0.0
    return foreign / (foreign + len(_LATIN_WORD.findall(text)))


def understanding(embedder: TextEmbedder) -> float:
    """How much of a language beyond English the model understands, in [0, 1], by the share of paraphrases that it finds.

    Half of them found or less counts as nothing.
    """
    likeness = _likeness(embedder, PARAPHRASES)
    found = sum(max(range(len(row)), key=row.__getitem__) == index for index, row in enumerate(likeness))
    return max(0.0, 2.0 * found / len(PARAPHRASES) - 1.0)


def cosine_scale(embedder: TextEmbedder) -> tuple[float, float]:
    """The mean cosine of unrelated English sentences under this model, and how far above it that of paraphrases lies."""
    likeness = _likeness(embedder, ENGLISH_PARAPHRASES)
    count = len(likeness)
    alike = sum(likeness[index][index] for index in range(count)) / count
    others = (sum(map(sum, likeness)) - alike * count) / (count * (count - 1))
    return others, max(NARROWEST, alike - others)


def _likeness(embedder: TextEmbedder, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """The cosine of every pair's first sentence with every pair's second."""
    vectors = embedder.embed_documents([sentence for pair in pairs for sentence in pair])
    left, right = vectors[::2], vectors[1::2]
    return [[sum(a * b for a, b in zip(one, other, strict=True)) for other in right] for one in left]
