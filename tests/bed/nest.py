"""Processes without their imports: what takes seconds to import is imported once, and each process is forked from it.

The import takes nine of the eleven CPU seconds that LiteLLM needs until it answers, and 0.9 of the 1.1 of a keeper
(measured on two cores, 2026-11-29); a run of the tests starts some forty proxies and two hundred keepers. What is
forked has run nothing but imports: it gets its own environment, directory, session, output and network before it does
what the command does. All workers of a run share what was imported. Only where `FORKS` is set in the environment, as
the tests do by default: benchmarks and `./scripts/test --all` start the commands themselves.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import json
import os
import runpy
import select
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

FORKS = "BED_FORKS"
"""Whether processes are forked: 1 or 0."""
NEST = "BED_NEST"
"""Where the socket of the process is from which keepers are forked."""
LITELLMS_NEST = "BED_NEST_OF_LITELLM"
"""Where the socket of the process is from which LiteLLM is forked."""
NETWORK = Path("/proc/self/ns/net")
"""Names the network that a process has."""
LONGEST_JOB = 1 << 20
"""Bytes of a job; an environment has some ten thousand."""
LITELLM = (
    *("litellm", "litellm.proxy.proxy_cli", "litellm.proxy.proxy_server", "encodings.ascii"),
    "litellm_memory.care.erasure",
)
"""`encodings.ascii`, because a thread of LiteLLM's imports it while gunicorn forks: see ``Proxy``. Of memory what takes
longest, but nothing that imports `prometheus_client`, which is another one where LiteLLM has several workers; nor
LiteLLM's encoding, whose import says in the environment where its files are."""
KEEPERS = (
    "litellm_memory.engine.work",
    "litellm_memory.engine.search_work",
    "litellm_memory.engine.workers_models",
    "litellm_memory.store.bindings",
)


_NESTS: list[Nest] = []
"""Those of this process, which live as long as it does."""


class Running(Protocol):
    """What a test does with a process, whoever started it."""

    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; TimeoutExpired when it has not ended after so many seconds."""
        ...

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        ...


def can_fork() -> bool:
    """True where processes are forked."""
    return hasattr(os, "pidfd_open") and os.environ.get(FORKS) == "1"


def start_litellm(arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str], log: Path) -> Running:
    """LiteLLM's command, begun: forked where that can be, else by its own script."""
    if not can_fork():
        command = [str(Path(sys.executable).with_name("litellm")), *arguments]
        with log.open("ab") as written:
            return subprocess.Popen(
                command,
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    return _start(_address(LITELLMS_NEST, LITELLM), None, arguments, environment, directory, log)


def start_module(
    module: str,
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    directory: Path | None = None,
    log: Path = Path(os.devnull),
) -> Running:
    """`python -m MODULE ...`, begun, for a module that needs LiteLLM: forked or not. Its output goes to ``log``."""
    environment = {**os.environ, **environment}
    directory = directory or Path.cwd()
    if not can_fork():
        command = [sys.executable, "-m", module, *arguments]
        with log.open("ab") as written:
            return subprocess.Popen(command, env=environment, cwd=directory, stdout=written, stderr=written)
    return _start(_address(LITELLMS_NEST, LITELLM), module, arguments, environment, directory, log)


def prepare_nests() -> None:
    """Begin the imports, for this process and for those that it starts, such as the workers of a run."""
    _address(LITELLMS_NEST, LITELLM)
    _address(NEST, KEEPERS)


def fork_keepers() -> None:
    """From now on this process, and each proxy that is forked, forks keepers and search processes."""
    from litellm_memory.store import link

    _address(NEST, KEEPERS)
    link.subprocess = KeepersForked()  # type: ignore[assignment]  # of subprocess it uses this much


class KeepersForked:
    """What of ``subprocess`` starts `python -m MODULE ...` without input and output, by forking."""

    DEVNULL = subprocess.DEVNULL

    @staticmethod
    def Popen(command: Sequence[str], *, env: Mapping[str, str], **_: object) -> Forked:
        """A process of its own, begun."""
        _, _, module, *arguments = command
        return _start(os.environ[NEST], module, arguments, env, Path.cwd(), Path(os.devnull))


class Nest:
    """The process that has ``modules`` imported. It ends when this one does."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.address = str(Path(tempfile.mkdtemp(prefix="nest"), "jobs"))
        self._life, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as jobs:
            jobs.bind(self.address)
            jobs.listen(64)
            command = [sys.executable, __file__, str(theirs.fileno()), str(jobs.fileno()), *modules]
            # The latter is read at the import of numpy; for keepers it is one thread.
            threads = {"OPENBLAS_NUM_THREADS": "1"} if modules == KEEPERS else {}
            # So is where a client of LiteLLM's finds a proxy, at the import of LiteLLM.
            kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
            environment = {**kept, "NO_PROXY": "*", "LITELLM_LOCAL_MODEL_COST_MAP": "True", **threads}
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno(), jobs.fileno()], env=environment)


class Forked:
    """A process that was forked; the end of it is read from ``ended``, where its exit code is written."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self._ended = ended
        self._code: int | None = None
        self._reading = threading.Lock()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal; TimeoutExpired when it has not ended after so many seconds."""
        if self._code is None and not select.select([self._ended], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("forked", timeout or 0)
        with self._reading:
            if self._code is None:
                # Nothing is written when the nest itself has ended.
                self._code = int(os.read(self._ended, 64) or -signal.SIGKILL)
                os.close(self._ended)
        return self._code

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sig)


def _address(variable: str, modules: Sequence[str]) -> str:
    """Where jobs go that need ``modules``: to the nest of whoever started this process, or one of its own."""
    if variable not in os.environ:
        nest = Nest(modules)
        _NESTS.append(nest)
        os.environ[variable] = nest.address
    return os.environ[variable]


def _start(
    address: str,
    module: str | None,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    directory: Path,
    log: Path,
) -> Forked:
    """A process of its own, begun: LiteLLM's command, or `python -m MODULE`."""
    job = {
        "module": module,
        "arguments": list(arguments),
        "environment": dict(environment),
        "directory": str(directory),
        "log": str(log),
        "network": str(NETWORK.readlink()),
        "asker": os.getpid(),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.connect(address)
        asking.send(json.dumps(job).encode())
        told, descriptors, _, _ = socket.recv_fds(asking, 64, 1)
    return Forked(int(told), descriptors[0])


# --- in the process that was started ---


def _hatch(life: socket.socket, jobs: socket.socket) -> dict[str, Any] | None:
    """Fork for each job until the process that began this one ends. None then; in a forked process, its job."""
    waited = selectors.DefaultSelector()
    waited.register(life, selectors.EVENT_READ)
    waited.register(jobs, selectors.EVENT_READ)
    while True:
        for key, _ in waited.select():
            if key.fileobj is life:
                return None
            if key.fileobj is not jobs:
                _tell_the_end(waited, key)
                continue
            asking, _ = jobs.accept()
            with asking:
                told = asking.recv(LONGEST_JOB)
                end, code = os.pipe()
                pid = os.fork()
                if pid == 0:
                    _forget(waited, end, code)
                    return dict(json.loads(told))
                socket.send_fds(asking, [str(pid).encode()], array.array("i", [end]))
                os.close(end)
                waited.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, code))


def _tell_the_end(waited: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, code = key.data
    waited.unregister(key.fileobj)
    os.close(key.fd)
    # Nobody may read it any more.
    with contextlib.suppress(BrokenPipeError):
        os.write(code, str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    os.close(code)


def _forget(waited: selectors.BaseSelector, *more: int) -> None:
    """Close what a forked process has no use for: the jobs, and the ends of the others that were forked."""
    for key in waited.get_map().values():
        if key.data is None:
            key.fileobj.close()  # type: ignore[union-attr]
        else:
            os.close(key.fd)
            os.close(key.data[1])
    waited.close()
    for number in more:
        os.close(number)


def _become(job: Mapping[str, Any]) -> None:
    """Take on a job's environment, path, directory, session, output and network."""
    if job["network"] != str(NETWORK.readlink()):
        _enter_network_of(job["asker"])
    os.setsid()
    os.chdir(job["directory"])
    os.environ.clear()
    os.environ.update(job["environment"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((nothing, log, log)):
        os.dup2(source, target)
    script = Path(sys.executable).with_name("litellm")
    # The first entry is the directory of the script, as it is for LiteLLM's own; for a module, the working directory.
    first = job["directory"] if job["module"] else str(script.parent)
    sys.path[:1] = [first, *job["environment"].get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = [str(script), *job["arguments"]]


def _enter_network_of(pid: int) -> None:
    """Go where that process has its network, which may be none; OSError where that is not permitted."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind in ("user", "net"):
        there = Path(f"/proc/{pid}/ns/{kind}")
        if there.readlink() == Path(f"/proc/self/ns/{kind}").readlink():
            continue
        with there.open("rb") as namespace:
            if libc.setns(namespace.fileno(), 0):
                raise OSError(ctypes.get_errno(), f"no way into the {kind} namespace of {pid}")


def _main() -> None:
    life, jobs = (socket.socket(fileno=int(number)) for number in sys.argv[1:3])
    for module in sys.argv[3:]:
        import_module(module)
    # A forked process whose collector looked at what was imported would copy all of that.
    gc.collect()
    gc.freeze()
    address = jobs.getsockname()
    job = _hatch(life, jobs)
    if job is None:
        shutil.rmtree(Path(address).parent)
        return
    _become(job)
    if NEST in os.environ:
        fork_keepers()
    if job["module"]:
        runpy.run_module(job["module"], run_name="__main__", alter_sys=True)
        return
    sys.exit(sys.modules["litellm"].run_server())


if __name__ == "__main__":
    _main()
