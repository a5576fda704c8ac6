"""The whole way of an alert: requests to a server, the jobs' worker, which is killed, a mail and a signed webhook."""

from __future__ import annotations

import email
import email.policy
import json
import time

import pytest

from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.working import Receiver, Worker, until

pytestmark = pytest.mark.slow
CHAT = {"model": "bench/m", "messages": [{"role": "user", "content": "hello"}]}  # $0.000015
MAKE = (
    "from billing.gate import budgets; from billing.gate.budgets import Wish; from portal.accounts.models import Key, User; "
    "key = Key.objects.get(name='of the drill'); "
    "print(budgets.make(key.workspace, Wish('month', '0.00003', False, (50, 100), 'Drill', key_id=key.pk)).pk)"
)


def subjects(installation: Installation) -> list[str]:
    """Of the mails about budgets that were sent."""
    found = []
    for path in sorted((installation.data_dir / "mail").glob("*")):
        for part in path.read_bytes().split(b"\n" + b"-" * 79 + b"\n"):
            if part.strip():
                subject = str(email.message_from_bytes(part, policy=email.policy.default)["subject"])
                found += [subject] if "Drill" in subject else []
    return found


def test_each_threshold_is_told_once_though_the_worker_is_killed(
    installation: Installation, worker: Worker, receiver: Receiver
) -> None:
    key = installation.manage(
        "create_key", EMAIL, "--name", "of the drill", "--rpm", "0", "--scope", "inference", "--scope", "keys"
    )
    number = int(installation.manage("shell", "-v0", "-c", MAKE).splitlines()[-1])
    hook = {"url": receiver.url, "events": ["budget.threshold_reached"]}
    status, made, _ = installation.call("/v1/webhooks", hook, key)
    assert status in (200, 201), made
    assert installation.call("/v1/chat/completions", CHAT, key)[0] == 200
    began = time.monotonic()
    until(lambda: receiver.seen, 60)
    until(lambda: subjects(installation), 60)
    assert time.monotonic() - began < 60
    worker.kill()
    assert installation.call("/v1/chat/completions", CHAT, key)[0] == 200
    worker.start()
    time.sleep(4)
    worker.kill()  # perhaps in the middle
    worker.start()
    until(lambda: len(receiver.seen) > 1, 60)
    until(lambda: len(subjects(installation)) > 1, 60)
    assert subjects(installation) == ["50 % of “Drill” is spent", "100 % of “Drill” is spent"]
    told = [json.loads(body) for _headers, body in receiver.seen]
    assert [(one["data"]["budget"], one["data"]["threshold_percent"]) for one in told] == [(number, 50), (number, 100)]
    assert len({headers["webhook-id"] for headers, _body in receiver.seen}) == 2
