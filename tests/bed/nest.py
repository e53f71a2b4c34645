"""LiteLLM's command without its import: a process imports LiteLLM once, and each proxy of a test is forked from it.

The import takes nine of the eleven CPU seconds that LiteLLM needs until it answers (measured on two cores, 2026-11-28),
and a run of the tests starts some forty proxies. What is forked has run nothing of LiteLLM but its import: it gets its
own environment, directory, session and output before it calls what LiteLLM's console script calls. Only where `FORKS`
is set in the environment, as the tests do by default: benchmarks and `./scripts/test --all` start the command itself.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import selectors
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

FORKS = "BED_FORKS"
"""Whether proxies are forked: 1 or 0."""
LONGEST_JOB = 1 << 20
"""Bytes of a job; an environment has some ten thousand."""


class Running(Protocol):
    """What a test does with a process, whoever started it."""

    pid: int

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; TimeoutExpired when it has not ended after so many seconds."""
        ...

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        ...


def start_litellm(arguments: Sequence[str], *, directory: Path, environment: Mapping[str, str], log: Path) -> Running:
    """LiteLLM's command, begun: forked where that can be, else by its own script."""
    if not _can_fork():
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
    return _nest().start({"arguments": list(arguments), "directory": str(directory), "log": str(log)}, environment)


def _can_fork() -> bool:
    return hasattr(os, "pidfd_open") and os.environ.get(FORKS) == "1"


class Nest:
    """The process that has LiteLLM imported. It ends when this one does."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)

    def start(self, job: Mapping[str, Any], environment: Mapping[str, str]) -> Forked:
        """A proxy of its own, begun."""
        self._socket.send(json.dumps({**job, "environment": dict(environment)}).encode())
        told, descriptors, _, _ = socket.recv_fds(self._socket, 64, 1)
        return Forked(int(told), descriptors[0])


class Forked:
    """A proxy that was forked; the end of it is read from ``ended``, where its exit code is written."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self._ended = ended
        self._code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal; TimeoutExpired when it has not ended after so many seconds."""
        if self._code is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("litellm", timeout or 0)
            self._code = int(os.read(self._ended, 64))
            os.close(self._ended)
        return self._code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, sig)


@cache
def _nest() -> Nest:
    return Nest()


# --- in the process that was started ---


def _hatch(jobs: socket.socket) -> dict[str, Any] | None:
    """Fork for each job until nobody asks any more. None then; in a forked process, its job."""
    waited = selectors.DefaultSelector()
    waited.register(jobs, selectors.EVENT_READ)
    while True:
        for key, _ in waited.select():
            if key.fileobj is not jobs:
                _tell_the_end(waited, key)
                continue
            told = jobs.recv(LONGEST_JOB)
            if not told:
                return None
            end, code = os.pipe()
            pid = os.fork()
            if pid == 0:
                _forget(waited, end, code)
                return dict(json.loads(told))
            socket.send_fds(jobs, [str(pid).encode()], array.array("i", [end]))
            os.close(end)
            waited.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, code))


def _tell_the_end(waited: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, code = key.data
    waited.unregister(key.fileobj)
    os.close(key.fd)
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
    """Take on a job's environment, path, directory, session and output."""
    os.setsid()
    os.chdir(job["directory"])
    os.environ.clear()
    os.environ.update(job["environment"])
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in enumerate((nothing, log, log)):
        os.dup2(source, target)
    script = Path(sys.executable).with_name("litellm")
    # The first entry is the directory of the script, as it is for LiteLLM's own.
    sys.path[:1] = [str(script.parent), *job["environment"].get("PYTHONPATH", "").split(os.pathsep)]
    sys.argv = [str(script), *job["arguments"]]


def _main() -> None:
    jobs = socket.socket(fileno=int(sys.argv[1]))
    import litellm
    import litellm.proxy.proxy_cli
    import litellm.proxy.proxy_server

    job = _hatch(jobs)
    if job is not None:
        _become(job)
        sys.exit(litellm.run_server())


if __name__ == "__main__":
    _main()
