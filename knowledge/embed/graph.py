"""Writes the ONNX graph of a MiniLM sentence encoder from its safetensors, without torch.

The encoder is BERT (Devlin et al. 2018) with mean pooling over the tokens and unit length (Reimers and Gurevych 2019).
Attention and the residual layer norms use onnxruntime's fused operators (domain `com.microsoft`).
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
"""Goes into the cached file's name; raise it when the graph changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a BERT encoder, as its `config.json` gives them."""

    layers: int
    heads: int
    epsilon: float


def write_graph(weights: Path, target: Path, shape: Shape) -> None:
    """Build the graph from the safetensors at `weights` and put it at `target` in one atomic rename.

    Inputs `input_ids` and `attention_mask`, int32 [batch, tokens]; output `embedding`, float32 [batch, hidden].
    """
    import onnx

    model = _build(weights, shape)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
            file.flush()
            os.fsync(file.fileno())
        onnx.checker.check_model(name)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def _build(weights: Path, shape: Shape) -> Any:
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    tensors = load_file(weights)
    nodes, constants = [], []

    def constant(name: str, value: object) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def weight(name: str) -> str:
        return constant(name, tensors[name])

    def transposed(name: str) -> str:
        return constant(name, tensors[name].T)

    words = node("Gather", [weight("embeddings.word_embeddings.weight"), "input_ids"], "words")
    # every text is one segment: the first token type is a constant, so it joins the positions
    positions = constant(
        "positions",
        tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0],
    )
    length = node("Shape", ["input_ids"], "length", start=1, end=2)
    zero, axis = constant("zero", np.array([0], np.int64)), constant("axis", np.array([0], np.int64))
    placed = node("Slice", [positions, zero, length, axis], "placed")
    summed = node("Add", [words, placed], "summed")
    hidden = node(
        "LayerNormalization",
        [summed, weight("embeddings.LayerNorm.weight"), weight("embeddings.LayerNorm.bias")],
        "embedded",
        epsilon=shape.epsilon,
    )
    for index in range(shape.layers):
        layer = f"encoder.layer.{index}"
        own = f"{layer}.attention.self"
        projections = [f"{own}.{part}" for part in ("query", "key", "value")]
        qkv = constant(f"{own}.weight", np.concatenate([tensors[f"{p}.weight"].T for p in projections], axis=1))
        bias = constant(f"{own}.bias", np.concatenate([tensors[f"{p}.bias"] for p in projections]))
        attended = node(
            "Attention",
            [hidden, qkv, bias, "attention_mask"],
            f"{own}.out",
            domain="com.microsoft",
            num_heads=shape.heads,
        )
        out = f"{layer}.attention.output"
        projected = node("MatMul", [attended, transposed(f"{out}.dense.weight")], f"{out}.dense.out")
        hidden = node(
            "SkipLayerNormalization",
            [
                projected,
                hidden,
                weight(f"{out}.LayerNorm.weight"),
                weight(f"{out}.LayerNorm.bias"),
                weight(f"{out}.dense.bias"),
            ],
            f"{out}.out",
            domain="com.microsoft",
            epsilon=shape.epsilon,
        )
        inner, outer = f"{layer}.intermediate", f"{layer}.output"
        widened = node("MatMul", [hidden, transposed(f"{inner}.dense.weight")], f"{inner}.dense.out")
        active = node("BiasGelu", [widened, weight(f"{inner}.dense.bias")], f"{inner}.out", domain="com.microsoft")
        narrowed = node("MatMul", [active, transposed(f"{outer}.dense.weight")], f"{outer}.dense.out")
        hidden = node(
            "SkipLayerNormalization",
            [
                narrowed,
                hidden,
                weight(f"{outer}.LayerNorm.weight"),
                weight(f"{outer}.LayerNorm.bias"),
                weight(f"{outer}.dense.bias"),
            ],
            f"{outer}.out",
            domain="com.microsoft",
            epsilon=shape.epsilon,
        )
    # the mean over a text's tokens as one product: mask [batch, 1, tokens] x hidden [batch, tokens, width]; the length
    # that it would be divided by drops out when the vector is scaled to length one
    mask = node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    rows = node("Unsqueeze", [mask, constant("one", np.array([1], np.int64))], "rows")
    pooled = node("Squeeze", [node("MatMul", [rows, hidden], "pooled"), "one"], "vector")
    node("LpNormalization", [pooled], "embedding", axis=1, p=2)
    width = tensors["embeddings.word_embeddings.weight"].shape[1]
    graph = helper.make_graph(
        nodes,
        "minilm",
        [
            helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "tokens"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", int(width)])],
        constants,
    )
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)],
        ir_version=9,
    )
