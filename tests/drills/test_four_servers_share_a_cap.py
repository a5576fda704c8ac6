"""Four servers, sixty-four connections, a cap worth a thousand requests: a thousand answers, whatever dies in between."""

from __future__ import annotations

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal

import psycopg
import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.upstream import Upstream

pytestmark = pytest.mark.slow
SERVERS, CLIENTS, REQUESTS = 4, 64, 1_000
BODY = json.dumps({"model": "bench/vectors", "input": ["hello"]})
SWEEP = (
    "from datetime import timedelta; from django.utils import timezone; from billing.gate import leases; "
    "print(leases.sweep(timezone.now() + timedelta(minutes=10)))"
)


@dataclass
class Fleet:
    """Servers on one database, and clients that ask until they are refused."""

    servers: list[Installation]
    key: str = ""
    answered: int = 0
    refusals: list[dict[str, str]] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    guard: threading.Lock = field(default_factory=threading.Lock)
    before: int = 0

    def start(self) -> None:
        with ThreadPoolExecutor(SERVERS) as pool:
            list(pool.map(Installation.start, self.servers))

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def ask_until_refused(self, clients: int = CLIENTS) -> None:
        """Each client asks on one connection, to a server that runs, until its second 402."""
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    def _client(self, number: int) -> None:
        refused, ends = 0, time.monotonic() + 50
        running = [server for server in self.servers if server.process is not None and server.process.poll() is None]
        port = running[number % len(running)].port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        while refused < 2 and time.monotonic() < ends:
            try:
                headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
                connection.request("POST", "/v1/embeddings", BODY, headers)
                response = connection.getresponse()
                status, content = response.status, response.read()
            except (OSError, http.client.HTTPException):
                connection.close()  # the server died: it is there again in a moment
                time.sleep(0.05)
                continue
            with self.guard:
                if status == 200:
                    self.answered += 1
                elif status == 402:
                    refused += 1
                    self.refusals.append(json.loads(content)["error"] | {"retry": response.headers["x-should-retry"]})
                else:
                    self.others[f"{status} {content[:200]!r}"] += 1
        connection.close()

    def begin(self) -> None:
        """A key with a cap worth REQUESTS."""
        self.key = self.servers[0].manage("create_key", EMAIL, "--rpm", "0", "--cap", "1.00")
        self.answered, self.refusals, self.others = 0, [], Counter()
        self.before = len(self.servers[0].used()["events"])
        self.start()

    def used(self) -> int:
        """Events since the beginning, each of the price of one request."""
        events = self.servers[0].used()["events"][self.before :]
        assert {event["cost_nanos"] for event in events} == {10**6}
        return len(events)

    def book_is_right(self) -> None:
        """To be asked when all have ended."""
        audit = json.loads(self.servers[0].manage("audit_ledger").splitlines()[-1])
        assert (audit["differences"], audit["totals_nanos"]["holds"]) == (0, 0)
        assert audit["totals_nanos"]["revenue"] == 10**6 * len(self.servers[0].used()["events"])

    def all_refusals_say_why(self) -> None:
        assert self.refusals
        for said in self.refusals:
            assert (said["code"], said["retry"], said["limited_by"]) == ("insufficient_quota", "false", "key")
            assert (said["needed"], said["cap"]) == ("0.001", "1.00")
            assert 0 <= Decimal(said["available"]) < Decimal("0.001")
            assert f"${said['available']} is available under this key's cap of $1.00" in said["message"]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    upstream = Upstream()
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("REDIS_URL", raising=False)
        environment.delenv("DATABASE_URL", raising=False)
        if request.param == "postgresql":
            server = request.getfixturevalue("postgres_url")
            name = f"fleet_{uuid.uuid4().hex}"
            with psycopg.connect(server, autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {name}")
            environment.setenv("DATABASE_URL", server.rpartition("/")[0] + f"/{name}")
        first = Installation(tmp_path_factory.mktemp("fleet"), upstream)
        first.install()
        first.manage(
            "add_model", "bench/vectors", "--task", "embeddings", "--engine", "openai", "--source", upstream.url,
            "--price-request", "0.001",
        )  # fmt: skip
        yield Fleet([first, *(Installation(first.data_dir, upstream) for _ in range(SERVERS - 1))])
    upstream.shutdown()
    upstream.server_close()


@pytest.fixture
def fleet(shared: Fleet) -> Iterator[Fleet]:
    shared.begin()
    yield shared
    shared.stop()


def test_exactly_a_thousand_of_all_requests_are_answered(fleet: Fleet) -> None:
    fleet.ask_until_refused()
    assert fleet.answered == REQUESTS
    assert not fleet.others
    assert len(fleet.refusals) == 2 * CLIENTS
    fleet.all_refusals_say_why()
    fleet.stop()
    assert fleet.used() == REQUESTS
    fleet.book_is_right()  # a clean end gives all back at once


def test_servers_that_are_killed_lose_no_request_of_the_thousand_and_add_none(fleet: Fleet) -> None:
    def kill_and_start() -> None:
        for number, server in enumerate(fleet.servers[:2]):
            ends = time.monotonic() + 20
            while fleet.answered < 150 * (number + 1) and time.monotonic() < ends:
                time.sleep(0.005)
            server.kill()
            server.start()

    killer = threading.Thread(target=kill_and_start)
    killer.start()
    fleet.ask_until_refused()
    killer.join(60)
    fleet.stop()
    used = fleet.used()
    assert fleet.answered <= used <= REQUESTS
    swept = int(fleet.servers[0].manage("shell", "-c", SWEEP).splitlines()[-1])
    assert swept >= 1, "the killed servers left no lease: the drill shows nothing"
    fleet.servers[-1].start()
    fleet.ask_until_refused(8)
    fleet.servers[-1].stop()
    assert fleet.used() == REQUESTS
    fleet.book_is_right()
