"""What an operator's address is told: that more waits for review, and that memory stopped or works again."""

from __future__ import annotations

import hmac
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from bed.engines import opened_engine
from pydantic import ValidationError

from litellm_memory.engine import Health
from litellm_memory.models import Memory, memory_id, namespace
from litellm_memory.settings import AlertsSettings
from litellm_memory.sidecar.alerts import Address, Alerts

SECRET = "a secret of the operator"


class Receiver:
    """A server on loopback that keeps what it is sent, and answers as it is told to."""

    def __init__(self) -> None:
        self.status, self.got = 204, list[tuple[dict[str, str], bytes]]()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.status)
                self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Says nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/told"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self) -> list[dict[str, Any]]:
        """What it was sent since, without the time, which has to be one."""
        told = [json.loads(body) for _, body in self.got]
        self.got.clear()
        assert all(datetime.fromisoformat(one.pop("at")).tzinfo for one in told)
        assert all(one.pop("host") == socket.gethostname() for one in told)
        return told


@pytest.fixture
def address() -> Iterator[Receiver]:
    served = Receiver()
    yield served
    served.close()


class House:
    """A worker with so much waiting, whose health is what a test makes it."""

    def __init__(self, url: str | None) -> None:
        self.waiting: dict[str, int] = {}
        self.health = Health(opened=True, store=None)
        self.address = Address(url, SECRET) if url else None
        self.alerts = Alerts(lambda: self.address, self.health, self.count)

    async def count(self) -> dict[str, int]:
        return self.waiting


async def test_what_newly_waits_is_told_once_in_counts_and_ids(address: Receiver) -> None:
    house = House(address.url)
    house.waiting = {"p": 2}
    await house.alerts.look()
    assert address.take() == []
    house.waiting = {"p": 3, "q": 4}
    await house.alerts.look()
    await house.alerts.look()
    house.waiting = {"q": 1}
    await house.alerts.look()
    named = [{"partition": "q", "waiting": 4}, {"partition": "p", "waiting": 3}]
    assert address.take() == [{"event": "review", "waiting": 7, "new": 5, "partitions": named}]


async def test_it_is_told_that_memory_stopped_and_that_it_works_again(address: Receiver) -> None:
    house = House(address.url)
    house.health.store = "The store does not answer: /secret/place."
    await house.alerts.look()
    await house.alerts.look()
    house.health.store = None
    await house.alerts.look()
    assert address.take() == [
        {"event": "health", "ready": False, "parts": ["store"]},
        {"event": "health", "ready": True, "parts": []},
    ]


async def test_a_message_is_signed_with_the_secret(address: Receiver) -> None:
    house = House(address.url)
    house.health.ledger = "It is locked."
    await house.alerts.look()
    [(headers, body)] = address.got
    assert headers["x-memory-signature"] == f"sha256={hmac.digest(SECRET.encode(), body, 'sha256').hex()}"


@pytest.mark.parametrize("status", [500, 302])
async def test_what_the_address_does_not_take_is_told_again_and_no_redirect_is_followed(
    address: Receiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(address.url)
    await house.alerts.look()
    address.status, house.waiting = status, {"p": 1}
    await house.alerts.look()
    await house.alerts.look()
    assert len(address.take()) == 2
    address.status, house.waiting = 204, {"p": 2}
    await house.alerts.look()
    assert address.take() == [
        {"event": "review", "waiting": 2, "new": 2, "partitions": [{"partition": "p", "waiting": 2}]}
    ]
    assert [record.message for record in caplog.records if "webhook" in record.message] == [
        f"alerts.webhook takes no message (status {status}); it is tried again every minute."
    ]


async def test_an_address_that_does_not_answer_costs_nothing_but_a_line_in_the_log(
    address: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(address.url)
    address.close()
    house.health.store = "It is away."
    await house.alerts.look()
    assert [record.message for record in caplog.records if "webhook" in record.message] == [
        "alerts.webhook takes no message (ConnectError); it is tried again every minute."
    ]


async def test_without_an_address_nothing_is_counted() -> None:
    house = House(None)
    house.alerts = Alerts(lambda: house.address, house.health, lambda: pytest.fail("counted"))
    await house.alerts.look()


async def test_what_waits_is_counted_by_partition(tmp_path: Path) -> None:
    async with opened_engine(tmp_path) as engine:
        now = datetime.now(UTC)
        one = Memory("", "p", "ada", "I like tea.", "fact", now, valid_from=now)
        kept = [
            replace(one, id=memory_id(namespace("p", "ada"), text, key=b"k"), text=text, review=review)
            for text, review in (("I like tea.", None), ("I like jam.", "It names a rule."))
        ]
        await engine.memories.keep(kept)
        assert await engine.ledger.listing.waiting() == {"p": 1}


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/x",
        "https://user:word@example.com",
        "ftp://example.com",
        "example.com",
        " ",
        "http://10.0.0.1/",
    ],
)
def test_an_address_that_anybody_could_read_along_is_refused(address: str) -> None:
    with pytest.raises(ValidationError):
        AlertsSettings.model_validate({"webhook": address})


@pytest.mark.parametrize("address", ["https://example.com", "https://example.com:8443/a?b=c", "http://[::1]:9/x"])
def test_an_address_is_one_of_https_or_of_this_host(address: str) -> None:
    assert AlertsSettings.model_validate({"webhook": address}).webhook is not None
