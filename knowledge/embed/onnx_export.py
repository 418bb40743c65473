"""Writes the ONNX graph of a BERT sentence encoder from its weights, without torch.

The encoder is BERT (Devlin et al. 2018) with mean pooling over the tokens and unit length (Reimers and Gurevych 2019). A batch
has texts of one length only, so that there is no padding, no mask, and onnxruntime may use its flash attention.

The layers multiply in 8 bits: weights with a scale a column, activations with a scale a token that is found while it
runs (the vector-wise quantisation of LLM.int8, Dettmers et al. 2022). Why, and what it costs:
docs/decisions/0004-embeddings-in-8-bits.md.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FORMAT = 3
"""Goes into the cached file's name; raise it when the graph changes."""

_FUSED = "com.microsoft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a BERT encoder, as its `config.json` gives them, and its `loud` dimensions: those that are so much larger than
    the others between the layers that one scale a token leaves these few steps. They are divided by the number given,
    and their weights multiplied by it (Xiao et al. 2023, SmoothQuant).
    """

    layers: int
    heads: int
    epsilon: float
    loud: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FourBits:
    """Weights in 4 bits: `codes`, uint8 [rows, columns], each 8 too large, in blocks of `columns / scales' columns`
    that share one of `scales`, float16.
    """

    codes: Any
    scales: Any

    def of_width(self, width: int) -> "FourBits":
        """The same weights in rows of `width`."""
        rows = self.codes.size // width
        return FourBits(codes=self.codes.reshape(rows, width), scales=self.scales.reshape(rows, -1))

    def floats(self) -> Any:
        """As float32, in the same shape."""
        import numpy as np

        block = self.codes.shape[1] // self.scales.shape[1]
        return (self.codes.astype(np.float32) - 8) * self.scales.astype(np.float32).repeat(block, axis=1)


def write_graph(tensors: Mapping[str, Any], target: Path, shape: Shape, *, signed: bool) -> None:
    """Build the graph from `tensors`, under the names of BERT's safetensors, and put it at `target` in one atomic rename.
    The word embeddings may be `FourBits`, and stay it.

    Input `input_ids`, int32 [batch, tokens]; output `embedding`, float32 [batch, hidden]. `signed` stores the weights as
    int8 instead of uint8: the product of the same numbers, twice as fast where the processor has instructions for it, and
    wrong (sums overflow) on x86 processors that have not.
    """
    import onnx

    model = _Builder(tensors, shape, signed=signed).model()
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


class _Builder:
    """Collects nodes and constants; every method gives the name of what it adds."""

    def __init__(self, tensors: Mapping[str, Any], shape: Shape, *, signed: bool) -> None:
        self._tensors = tensors
        self._shape = shape
        self._signed = signed
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._width = int(tensors["embeddings.position_embeddings.weight"].shape[1])

    def model(self) -> Any:
        from onnx import TensorProto, helper

        hidden = self._embedded()
        batch_shape = self._node(
            "Concat", [self._size("rows", 0), self._length, self._integers("width", self._width)], axis=0
        )
        for index in range(self._shape.layers):
            hidden = self._layer(f"encoder.layer.{index}", hidden, batch_shape)
        texts = self._node("Reshape", [hidden, batch_shape], "texts")
        mean = self._node("ReduceMean", [texts, self._integers("tokens_axis", 1)], "mean", keepdims=0)
        self._node("LpNormalization", [mean], "embedding", axis=1, p=2)
        graph = helper.make_graph(
            self._nodes,
            "encoder",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["batch", "tokens"])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", self._width])],
            list(self._constants.values()),
        )
        versions = [helper.make_opsetid("", 20), helper.make_opsetid(_FUSED, 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=9)

    def _embedded(self) -> str:
        """Words and positions, one row a token."""
        words = self._words()
        # every text is one segment: the first token type is a constant, so it joins the positions
        positions = self._constant(
            "positions",
            self._tensors["embeddings.position_embeddings.weight"]
            + self._tensors["embeddings.token_type_embeddings.weight"][0],
        )
        self._length = self._size("length", 1)
        placed = self._node(
            "Slice", [positions, self._integers("from", 0), self._length, self._integers("positions_axis", 0)]
        )
        normal = self._normalised("embeddings", self._node("Add", [words, placed]))
        return self._node("Reshape", [normal, self._integers("row_shape", -1, self._width)])

    def _words(self) -> str:
        """A row of the word embeddings for each token."""
        import numpy as np
        from onnx import TensorProto

        name = "embeddings.word_embeddings.weight"
        table = self._tensors[name]
        if not isinstance(table, FourBits):
            return self._node("Gather", [self._weight(name), "input_ids"])
        rows, columns = table.scales.shape
        packed = table.codes[:, ::2] | (table.codes[:, 1::2] << 4)
        self._packed(f"{name}.codes", [rows, self._width], packed)
        self._packed(f"{name}.middles", [rows, columns], np.full(rows * columns // 2, 0x88, np.uint8))
        inputs = [f"{name}.codes", "input_ids", self._constant(f"{name}.scales", table.scales), f"{name}.middles"]
        block = self._width // columns
        words = self._node(
            "GatherBlockQuantized", inputs, domain=_FUSED, block_size=block, quantize_axis=1, gather_axis=0
        )
        return self._node("Cast", [words], to=TensorProto.FLOAT)

    def _packed(self, name: str, shape: Sequence[int], halves: Any) -> None:
        """A constant of 4-bit numbers, two a byte, the first in the low half."""
        from onnx import TensorProto

        self._constants[name] = TensorProto(
            name=name, data_type=TensorProto.UINT4, dims=shape, raw_data=halves.tobytes()
        )

    def _layer(self, layer: str, hidden: str, batch_shape: str) -> str:
        own = f"{layer}.attention.self"
        projections = [f"{own}.{part}" for part in ("query", "key", "value")]
        together = self._product(own, hidden, *projections, quieter=True)
        parts = [f"{own}.{part}.rows" for part in ("query", "key", "value")]
        self._node("Split", [together], *parts, axis=-1, num_outputs=3)
        attended = self._node(
            "MultiHeadAttention",
            [*(self._node("Reshape", [part, batch_shape]) for part in parts), self._bias(own, *projections)],
            domain=_FUSED,
            num_heads=self._shape.heads,
        )
        rows = self._node("Reshape", [attended, "row_shape"])
        hidden = self._added(f"{layer}.attention.output", rows, hidden)
        inner = f"{layer}.intermediate.dense"
        widened = self._product(inner, hidden, inner, quieter=True)
        active = self._node("BiasGelu", [widened, self._bias(inner, inner)], domain=_FUSED)
        return self._added(f"{layer}.output", active, hidden)

    def _added(self, part: str, rows: str, hidden: str) -> str:
        """A dense layer's result added to what came before it. (With the fused operator for it the model is 1.2 times slower.)"""
        dense = f"{part}.dense"
        biased = self._node("Add", [self._product(dense, rows, dense), self._bias(dense, dense)])
        return self._normalised(part, self._node("Add", [biased, hidden]))

    def _normalised(self, part: str, rows: str) -> str:
        scale, shift = self._weight(f"{part}.LayerNorm.weight"), self._weight(f"{part}.LayerNorm.bias")
        return self._node("LayerNormalization", [rows, scale, shift], epsilon=self._shape.epsilon)

    def _product(self, name: str, rows: str, *layers: str, quieter: bool = False) -> str:
        """`rows` times the weights of one or several dense layers side by side, in 8 bits; with the loud dimensions made
        `quieter` first, where they are.
        """
        import numpy as np

        weights = np.concatenate([self._tensors[f"{layer}.weight"].T for layer in layers], axis=1)
        if quieter and self._shape.loud:
            loudness = np.ones(self._width, np.float32)
            loudness[list(self._shape.loud)] = list(self._shape.loud.values())
            weights = weights * loudness[:, None]
            rows = self._node("Mul", [rows, self._constant("loudness", 1 / loudness)])
        scales = np.abs(weights).max(axis=0) / 127
        whole = np.rint(weights / scales)
        middle = self._constant("middle", np.uint8(128))
        inputs = [
            self._quantised(name, rows, middle),
            self._constant(f"{name}.int8", whole.astype(np.int8) if self._signed else (whole + 128).astype(np.uint8)),
            self._constant("unit", np.float32(1)),
            self._constant(f"{name}.scales", scales.astype(np.float32)),
            middle,
        ]
        if not self._signed:
            inputs.append(self._constant(f"{name}.middles", np.full(len(scales), 128, np.uint8)))
        product = self._node("MatMulIntegerToFloat", inputs, domain=_FUSED)
        return self._node("Mul", [product, f"{name}.scale"])

    def _quantised(self, name: str, rows: str, middle: str) -> str:
        """`rows` as uint8 around 128; what a step is worth in each row is left in `<name>.scale`, [rows, 1]."""
        import numpy as np

        largest = self._node("ReduceMax", [self._node("Abs", [rows]), self._integers("row_axis", -1)], keepdims=1)
        step = self._node("Mul", [largest, self._constant("a_127th", np.float32(1 / 127))])
        scale = self._node("Max", [step, self._constant("tiny", np.float32(1e-8))], f"{name}.scale")
        flat = self._node("Reshape", [scale, self._integers("flat_shape", -1)])
        middles = self._node("Expand", [middle, self._node("Shape", [flat])])
        return self._node("QuantizeLinear", [rows, flat, middles], axis=0)

    def _bias(self, name: str, *layers: str) -> str:
        import numpy as np

        return self._constant(f"{name}.biases", np.concatenate([self._tensors[f"{layer}.bias"] for layer in layers]))

    def _size(self, name: str, axis: int) -> str:
        return self._node("Shape", ["input_ids"], name, start=axis, end=axis + 1)

    def _weight(self, name: str) -> str:
        return self._constant(name, self._tensors[name])

    def _integers(self, name: str, *values: int) -> str:
        import numpy as np

        return self._constant(name, np.array(values, np.int64))

    def _constant(self, name: str, value: Any) -> str:
        import numpy as np
        from onnx import numpy_helper

        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value).reshape(np.shape(value)), name)
        return name

    def _node(self, operator: str, inputs: list[str], *outputs: str, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        name = f"{operator}.{len(self._nodes)}"
        found = list(outputs) or [name]
        self._nodes.append(helper.make_node(operator, inputs, found, name=name, domain=domain, **attributes))
        return found[0]
