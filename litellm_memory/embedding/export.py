"""Converts the published fp32 weights to the int8 ONNX file that is run. Needs the extra `litellm-memory[model]`, not
torch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import onnx.numpy_helper
import onnx.parser
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]  # it ships no types
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from litellm_memory.embedding.local import TextEncoder
from litellm_memory.errors import ModelMissingError

Tensors = Mapping[str, NDArray[np.float32]]

FAITHFUL = 0.99
"""The mean cosine that is required between the vectors of the int8 file and those of its fp32 graph."""

SENTENCES = (
    "My staging database is called heron-42.",
    "What did we decide about the retry policy of the payment service?",
    "I prefer short answers, in British English, with the code first.",
    "def embed(texts): return [vector(text) for text in texts]",
    "The meeting with the auditors moved from Tuesday to Friday at 14:30 because two of them are ill.",
    "Danke, das passt so.",
    "The quick brown fox jumps over the lazy dog. " * 8,
)
"""The sentences on which an int8 file is tested: short and long, prose, code, names, another language."""

HEAD_WIDTH = 32
"""MiniLM has 12 attention heads of this size: the one dimension that its tensors do not reveal."""

REFERENCE = {
    "made_with": {"numpy": "2.4.6", "onnx": "1.23.2", "onnxruntime": "1.31.1"},
    "model.onnx": "0a68263b82fd1c7dca14def934596e284465c92da2d79e72659680834c8af2b3",
}
"""The sha256 that these versions produce from the original weights. Others may give other bytes for the same
vectors."""


def export(weights: Path, tokenizer: Path, model: Path) -> dict[str, object]:
    """Writes ``model``, the int8 ONNX file of ``weights``: fp32 ``.safetensors``, or an fp32 graph in ``.onnx``.

    Returns the versions used, for its manifest; the same weights and libraries give the same bytes. Raises
    ModelMissingError when the file's vectors deviate from those of the fp32 graph.
    """
    graph = onnx.load(weights) if weights.suffix == ".onnx" else bert(load_file(weights))
    quantise(graph, model)
    cosine = agreement(graph.SerializeToString(), model.read_bytes(), tokenizer)
    if cosine < FAITHFUL:
        raise ModelMissingError(f"int8 strays from {weights.name} (mean cosine {cosine:.3f}, needed {FAITHFUL})")
    made_with = {name: version(name) for name in ("numpy", "onnx", "onnxruntime")}
    return {"cosine_to_fp32": round(cosine, 4), "made_with": made_with, "reference": REFERENCE}


def quantise(graph: onnx.ModelProto, model: Path) -> None:
    """Writes ``graph`` with int8 weights: a scale per output channel of a matrix, one per embedding table."""
    # Without this mark the quantiser prints advice through the root logger, which configures logging for the process.
    onnx.helper.set_model_props(graph, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as scratch:
        fp32 = Path(scratch) / "fp32.onnx"
        onnx.save(graph, fp32)
        quantize_dynamic(
            fp32,
            model,
            op_types_to_quantize=["MatMul", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            # ONNX does not know the types of ONNX Runtime's own operators.
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )


def agreement(one: bytes, other: bytes, tokenizer: Path) -> float:
    """The mean cosine between the vectors that two ONNX files give to the same sentences."""
    encoders = [TextEncoder(model, Tokenizer.from_file(str(tokenizer))) for model in (one, other)]
    first, second = ([encoder.vector(sentence) for sentence in SENTENCES] for encoder in encoders)
    return float(np.mean([a @ b for a, b in zip(first, second, strict=True)]))


def bert(tensors: Tensors) -> onnx.ModelProto:
    """The fp32 graph of a BERT encoder, with the usual inputs and output of ONNX exports."""
    depth = sum(name.endswith(".intermediate.dense.weight") for name in tensors)
    layers = [_layer(tensors, f"encoder.layer.{n}.") for n in range(depth)]
    calls = "".join(
        f"hidden_{n + 1} = local.layer (hidden_{n}, mask, {', '.join(f'{name}_{n}' for name in layer)})\n"
        for n, layer in enumerate(layers)
    )
    hidden = tensors["embeddings.LayerNorm.weight"].size
    graph = GRAPH.format(calls=calls, last=depth, heads=hidden // HEAD_WIDTH, parameters=", ".join(layers[0]))
    model = onnx.parser.parse_model(graph)
    weights = _embeddings(tensors) | {f"{name}_{n}": v for n, layer in enumerate(layers) for name, v in layer.items()}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in weights.items())
    onnx.checker.check_model(model)
    return onnx.inliner.inline_local_functions(model)


GRAPH = """
<ir_version: 9, opset_import: ["": 20, "com.microsoft": 1, "local": 1]>
minilm (int64[batch, length] input_ids, int64[batch, length] attention_mask, int64[batch, length] token_type_ids)
    => (float[batch, length, hidden] last_hidden_state)
{{
    words = Gather (word_table, input_ids)
    types = Gather (type_table, token_type_ids)
    start = Constant <value_ints = [0]> ()
    end = Shape <start = 1> (input_ids)
    places = Slice (place_table, start, end)
    typed = Add (words, types)
    placed = Add (typed, places)
    hidden_0 = LayerNormalization <epsilon = 1e-12> (placed, table_norm, table_norm_bias)

    mask = Cast <to = 6> (attention_mask)
    {calls}
    last_hidden_state = Identity (hidden_{last})
}}

<domain: "local", opset_import: ["": 20, "com.microsoft": 1]>
layer (x, mask, {parameters}) => (y)
{{
    projected = MatMul (x, qkv)
    projections = Add (projected, qkv_bias)
    q, k, v = Split <axis = -1, num_outputs = 3> (projections)
    context = com.microsoft.MultiHeadAttention <num_heads = {heads}, scale = 1.0> (q, k, v, "", mask)
    attended = MatMul (context, out)
    attended_shifted = Add (attended, out_bias)
    attended_sum = Add (attended_shifted, x)
    middle = LayerNormalization <epsilon = 1e-12> (attended_sum, out_norm, out_norm_bias)

    widened = MatMul (middle, wide)
    wide_shifted = Add (widened, wide_bias)
    active = Gelu (wide_shifted)
    narrowed = MatMul (active, narrow)
    narrow_shifted = Add (narrowed, narrow_bias)
    narrow_sum = Add (narrow_shifted, middle)
    y = LayerNormalization <epsilon = 1e-12> (narrow_sum, narrow_norm, narrow_norm_bias)
}}
"""
"""BERT in ONNX's text format; its local function ``layer`` is inlined.

Opset 20 is the first with Gelu. Attention is ONNX Runtime's own operator: in plain ONNX operators its many small steps
were a tenth of the run time.
"""


def _embeddings(tensors: Tensors) -> dict[str, NDArray[np.float32]]:
    return {
        "word_table": tensors["embeddings.word_embeddings.weight"],
        "type_table": tensors["embeddings.token_type_embeddings.weight"],
        "place_table": tensors["embeddings.position_embeddings.weight"],
        "table_norm": tensors["embeddings.LayerNorm.weight"],
        "table_norm_bias": tensors["embeddings.LayerNorm.bias"],
    }


def _layer(tensors: Tensors, prefix: str) -> dict[str, NDArray[np.float32]]:
    """A layer's weights by their names in the graph. The projections are one matrix, scaled for attention."""
    layer = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    scale = np.float32(HEAD_WIDTH**-0.5)
    scales = {"query": scale, "key": np.float32(1), "value": np.float32(1)}
    return {
        "qkv": np.concatenate([layer[f"attention.self.{p}.weight"].T * by for p, by in scales.items()], axis=1),
        "qkv_bias": np.concatenate([layer[f"attention.self.{p}.bias"] * by for p, by in scales.items()]),
        "out": layer["attention.output.dense.weight"].T,
        "out_bias": layer["attention.output.dense.bias"],
        "out_norm": layer["attention.output.LayerNorm.weight"],
        "out_norm_bias": layer["attention.output.LayerNorm.bias"],
        "wide": layer["intermediate.dense.weight"].T,
        "wide_bias": layer["intermediate.dense.bias"],
        "narrow": layer["output.dense.weight"].T,
        "narrow_bias": layer["output.dense.bias"],
        "narrow_norm": layer["output.LayerNorm.weight"],
        "narrow_norm_bias": layer["output.LayerNorm.bias"],
    }
