"""Where the model is on this machine, and its installation: once, with checksums, by one process at a time."""

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
"""Writes the third file, a model, from weights and a tokenizer, and returns the versions used."""

PACKAGED = Path(__file__).parent.parent / "model"
"""Where a release wheel carries the model."""

LONGEST_WAIT = 1800.0
"""Timeout in seconds for another process that is installing the model."""


def find_model(model_dir: Path | None = None) -> Path | None:
    """The directory with the model, None when there is none.

    Only ``model_dir`` counts if it is given; else the one in the package, then the one in the user's cache.
    """
    places = [model_dir.expanduser()] if model_dir else [PACKAGED, user_cache() / LocalModel.name]
    return next((place for place in places if (place / MANIFEST).is_file()), None)


def user_cache(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's cache directory: ``litellm-memory`` in XDG_CACHE_HOME, or else in ``~/.cache``."""
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
    """Installs the model and returns its directory: ``into``, or else where ``find_model`` looks.

    An intact model stays. Otherwise it is made from the first source that has the weights; partial downloads in
    ``cache`` (the user's, unless given) are resumed. Raises ModelMissingError when no source has them, or when the
    libraries that convert them are not installed.
    """
    cache = cache or user_cache()
    target = into or find_model() or cache / LocalModel.name
    try:
        if not _is_whole(target):
            with _alone(cache):
                # The process that had the lock may have installed it.
                if not _is_whole(target):
                    _install(target, cache / "downloads", sources, report)
    except OSError as error:
        raise ModelMissingError(f"The model cannot be written: {error.filename}: {error.strerror}.") from error
    report("installed", 1.0)
    return target


def _install(target: Path, downloads: Path, sources: Sequence[Source], report: Report) -> None:
    """Makes the model in ``target`` from the first source that has its ingredients."""
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
    """The converter. It needs the extra, which those who only use a model can do without."""
    try:
        from litellm_memory.embedding.export import export
    except ImportError as error:
        raise ModelMissingError(
            f"Making the model needs {error.name}: run `pip install 'litellm-memory[model]'`."
        ) from error
    return export


def _make(target: Path, ingredients: Ingredients, source: str, export: Export) -> None:
    """Makes the model in a temporary directory and moves it, the manifest last, so that the installation is atomic."""
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
    """A lock between processes; the kernel releases it when a process dies."""
    path = cache / "install.lock"
    with open_lock(path) as lock:
        if not wait_for_lock(lock, timeout_s=LONGEST_WAIT):
            raise ModelMissingError(f"Another process has held {path} for {LONGEST_WAIT:.0f} s: end it.")
        yield
