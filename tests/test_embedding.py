"""The embedded model: unit vectors that tell near from far, off the event loop, and only from files that are whole."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from litellm_memory.embedding import LocalModel, find_model, install_model, user_cache
from litellm_memory.errors import ModelMissingError
from litellm_memory.memories.vectors import ALONE, MemoryVectors

SIXTEEN_PAGES = "the quick brown fox jumps over the lazy dog " * 1000


@pytest.fixture(scope="session")
def model_dir() -> Path:
    """The real model; made once for a machine."""
    return install_model(report=lambda step, share: None)


@pytest.fixture(scope="session")
def model(model_dir: Path) -> Iterator[LocalModel]:
    opened = LocalModel.open(model_dir)
    yield opened
    opened.close()


def test_every_text_gets_a_unit_vector_in_order(model: LocalModel) -> None:
    texts = ["My staging database is called heron-42.", "", "ok", "日本語のテキスト 🦩", SIXTEEN_PAGES]
    vectors = model.embed(texts)
    assert (vectors.shape, vectors.dtype) == ((5, LocalModel.dimension), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(vectors, np.concatenate([model.embed([text]) for text in texts]))


async def test_no_texts_give_no_rows(model: LocalModel) -> None:
    assert model.embed([]).shape == (await model.embed_soon([])).shape == (0, LocalModel.dimension)


def test_half_a_surrogate_pair_is_read_as_a_question_mark(model: LocalModel) -> None:
    np.testing.assert_array_equal(model.embed(["flamingo \ud83e"]), model.embed(["flamingo ?"]))


def test_reading_stops_at_256_tokens(model: LocalModel) -> None:
    within, beyond = "word " * 254, "word " * 254 + "flamingo"
    np.testing.assert_array_equal(model.embed([within]), model.embed([beyond]))
    assert not np.array_equal(model.embed(["word " * 253]), model.embed([within]))


@pytest.mark.parametrize(
    ("query", "answer", "others"),
    [
        pytest.param(
            "What is my staging database called?",
            "My staging database is called heron-42.",
            ["The production database runs on PostgreSQL 16.", "I prefer short answers.", "We hiked in the Alps."],
            id="a name",
        ),
        pytest.param(
            "How should the reply be worded?",
            "I prefer short answers without any jargon.",
            ["My cat is called Pixel.", "The release is planned for Friday.", "Our office moved to Ghent."],
            id="a preference in other words",
        ),
    ],
)
def test_the_answer_is_nearest_to_its_question(model: LocalModel, query: str, answer: str, others: list[str]) -> None:
    asked, *found = model.embed([query, answer, *others])
    assert np.argmax([asked @ vector for vector in found]) == 0


async def test_embedding_soon_gives_the_same_vectors(model: LocalModel) -> None:
    texts = ["one", "two words", SIXTEEN_PAGES]
    np.testing.assert_array_equal(await model.embed_soon(texts), model.embed(texts))


async def test_a_query_does_not_wait_for_a_batch(model: LocalModel) -> None:
    batch = asyncio.create_task(model.embed_soon([f"document {number} of some words" for number in range(500)]))
    await asyncio.sleep(0)
    await model.embed_soon(["a query"])
    assert not batch.done()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch


async def test_closing_ends_the_models_thread(model_dir: Path) -> None:
    opened = LocalModel.open(model_dir)
    before = set(threading.enumerate())
    await opened.embed_soon(["something"])
    [thread] = [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("embedding")]
    opened.close()
    assert not thread.is_alive()


class Threads:
    """An encoder that notes the threads which it is called from."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        self.seen.append(threading.get_ident())
        return np.zeros(LocalModel.dimension, np.float32)


async def test_the_search_process_reads_what_has_just_been_asked_without_a_thread_once_the_model_is_loaded() -> None:
    """What has waited finds other questions before it, which are searched for meanwhile."""
    encoder, here, now = Threads(), threading.get_ident(), datetime.now(UTC)
    vectors = MemoryVectors()
    model = LocalModel(lambda: encoder)  # type: ignore[arg-type, return-value]
    vectors.use(model)
    asked = [(True, now), (True, now + ALONE), (True, now - ALONE), (True, None), (False, now + ALONE)]
    for number, (vectors.has_loop, at) in enumerate(asked):
        await vectors.query(f"question {number}", asked=at)
    assert [seen == here for seen in encoder.seen] == [False, True, False, False, False]
    model.close()


def change_manifest(directory: Path, **changes: object) -> None:
    path = directory / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(lambda place: shutil.rmtree(place), "holds no embedding model", id="no directory"),
        pytest.param(lambda place: (place / "manifest.json").unlink(), "holds no embedding model", id="no manifest"),
        pytest.param(lambda place: (place / "manifest.json").write_text("{"), "holds no embedding model", id="half"),
        pytest.param(lambda place: (place / "manifest.json").write_text("[]"), "holds no embedding model", id="a list"),
        pytest.param(
            lambda place: change_manifest(place, identity="another-model"), "does not hold all-MiniLM", id="other model"
        ),
        pytest.param(lambda place: change_manifest(place, files=None), "missing or damaged", id="no digests"),
        pytest.param(lambda place: (place / "model.onnx").write_bytes(b"\x08"), "model.onnx is missing", id="cut off"),
        pytest.param(lambda place: (place / "tokenizer.json").unlink(), "tokenizer.json is missing", id="no tokenizer"),
    ],
)
def test_a_damaged_model_is_refused_with_what_to_do(
    model_dir: Path, tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    place = tmp_path / "model"
    shutil.copytree(model_dir, place)
    damage(place)
    with pytest.raises(ModelMissingError, match=f"{says}.*run `litellm-memory model install`"):
        LocalModel.open(place)


def test_a_named_directory_is_the_only_one_looked_into(model_dir: Path, tmp_path: Path) -> None:
    assert find_model(model_dir) == model_dir
    assert find_model(tmp_path) is None


@pytest.mark.parametrize(
    ("environment", "cache"),
    [
        pytest.param({"XDG_CACHE_HOME": "/var/cache/me"}, Path("/var/cache/me/litellm-memory"), id="named"),
        pytest.param({}, Path.home() / ".cache" / "litellm-memory", id="not named"),
        pytest.param({"XDG_CACHE_HOME": ""}, Path.home() / ".cache" / "litellm-memory", id="empty"),
        pytest.param({"XDG_CACHE_HOME": "here"}, Path.home() / ".cache" / "litellm-memory", id="relative"),
    ],
)
def test_the_users_cache_is_where_the_environment_says(environment: dict[str, str], cache: Path) -> None:
    assert user_cache(environment) == cache


def test_the_runtime_keeps_and_reports_nothing_about_this_machine(model_dir: Path, tmp_path: Path) -> None:
    """ONNX Runtime's telemetry leaves a device id and a queue of events in the cache directory when it is on."""
    script = (
        "import pathlib, sys; from litellm_memory.embedding import LocalModel;"
        "LocalModel.open(pathlib.Path(sys.argv[1])).embed(['something'])"
    )
    # Continuous integration has it switched off anyway, which would make this test pass for another reason.
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME")}
    subprocess.run(
        [sys.executable, "-c", script, str(model_dir)],
        env={**environment, **places, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        timeout=60,
    )
    assert list(tmp_path.iterdir()) == []
