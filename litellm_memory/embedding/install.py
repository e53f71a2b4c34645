"""Where the model lies on this machine, and how it gets there: once, checked, by one process at a time."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from litellm_memory.embedding.local import MANIFEST, MODEL, TOKENIZER, LocalModel, digest, read_model
from litellm_memory.embedding.sources import SOURCES, Ingredients, Report, Source
from litellm_memory.errors import ModelMissingError
from litellm_memory.files.locks import open_lock, wait_for_lock

Export = Callable[[Path, Path, Path], Mapping[str, object]]
"""Makes the third file, a model, of weights and a tokenizer, and tells what it was made with."""

PACKAGED = Path(__file__).parent.parent / "model"
"""Where a release wheel carries the model."""

LONGEST_WAIT = 1800.0
"""Seconds to wait for another process that is installing the model."""


def find_model(model_dir: Path | None = None) -> Path | None:
    """The directory that holds the model, None when there is none.

    That is ``model_dir`` alone when it is given; else the one in the package, else the one in the user's cache.
    """
    places = [model_dir.expanduser()] if model_dir else [PACKAGED, user_cache() / LocalModel.name]
    return next((place for place in places if (place / MANIFEST).is_file()), None)


def user_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """The directory of what may be made again: ``litellm-memory`` in XDG_CACHE_HOME, or else in ``~/.cache``."""
    # The base directory specification ignores a relative XDG_CACHE_HOME, an empty one too.
    named = Path(environment.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path("~/.cache").expanduser()) / "litellm-memory"


def install_model(
    into: Path | None = None,
    *,
    report: Report,
    sources: Sequence[Source] = SOURCES,
    cache: Path | None = None,
) -> Path:
    """The directory that now holds the model: ``into``, or else where ``find_model`` looks.

    A model that is there and whole stays as it is. Otherwise it is made from the first source that has the weights;
    what an interrupted download left in ``cache`` (the user's, unless given) is used. Raises ModelMissingError when
    no source has them, or when the libraries that make it are not installed.
    """
    cache = cache or user_cache()
    target = into or find_model() or cache / LocalModel.name
    try:
        if not _is_whole(target):
            with _alone(cache):
                # Whoever was in there before may have made it.
                if not _is_whole(target):
                    _install(target, cache / "downloads", sources, report)
    except OSError as error:
        raise ModelMissingError(f"The model cannot be written: {error.filename}: {error.strerror}.") from error
    report("installed", 1.0)
    return target


def _install(target: Path, downloads: Path, sources: Sequence[Source], report: Report) -> None:
    """Makes the model in ``target`` from the first source that can give its ingredients."""
    export = _exporter()
    refusals = []
    for source in sources:
        report(f"asking {source.name}", 0.0)
        directory = downloads / source.name
        directory.mkdir(parents=True, exist_ok=True)
        try:
            ingredients = source.get(directory, report)
            report("making the int8 model", 0.0)
            _make(target, ingredients, source.name, export)
        except ModelMissingError as error:
            refusals.append(f"{source.name}: {error}")
        else:
            shutil.rmtree(downloads)
            return
    raise ModelMissingError(
        f"The embedding model cannot be had ({'; '.join(refusals)}): run `litellm-memory model install` where one of "
        "these can be reached, and copy the directory that it names to here, as `embedding.model_dir`."
    )


def _exporter() -> Export:
    """What makes a model of its ingredients. It needs the extra, which those who only use a model do without."""
    try:
        from litellm_memory.embedding.export import export
    except ImportError as error:
        raise ModelMissingError(
            f"Making the model needs {error.name}: run `pip install 'litellm-memory[model]'`."
        ) from error
    return export


def _make(target: Path, ingredients: Ingredients, source: str, export: Export) -> None:
    """Makes the model beside ``target`` and moves it there, the manifest last, so that it is whole or not there."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as beside:
        made = Path(beside)
        shutil.copyfile(ingredients.tokenizer, made / TOKENIZER)
        provenance = export(ingredients.weights, made / TOKENIZER, made / MODEL)
        manifest = {
            "identity": LocalModel.name,
            "dimension": LocalModel.dimension,
            "files": {name: digest((made / name).read_bytes()) for name in (MODEL, TOKENIZER)},
            "licence": "Apache-2.0",
            "source": source,
            "weights_sha256": digest(ingredients.weights.read_bytes()),
            **provenance,
        }
        (made / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        (target / MANIFEST).unlink(missing_ok=True)
        for name in (MODEL, TOKENIZER, MANIFEST):
            (made / name).replace(target / name)


def _is_whole(directory: Path) -> bool:
    try:
        read_model(directory)
    except ModelMissingError:
        return False
    return True


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Waits until no other process is inside. A process that dies inside leaves it open."""
    path = cache / "install.lock"
    with open_lock(path) as lock:
        if not wait_for_lock(lock, timeout_s=LONGEST_WAIT):
            raise ModelMissingError(f"Another process has held {path} for {LONGEST_WAIT:.0f} s: end it.")
        yield
