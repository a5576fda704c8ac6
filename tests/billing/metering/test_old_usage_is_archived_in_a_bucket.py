"""Old usage in a bucket of S3, on a server that speaks it: what is asked gets the same answer, or a clear one in seconds."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client

from billing.metering import archive, parquet, rollups
from billing.metering.models import Archive, UsageEvent
from portal import checks
from portal.accounts.models import User, Workspace
from tests.billing.metering.test_old_usage_is_archived import COUNT, NOW, everything, three
from tests.fixtures.bucket import BACKEND, Bucket
from tests.fixtures.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
PERIOD = "from=2024-02-01&to=2024-03-31"
# Each reads archived events: the times cut hours.
ASKED = (
    "/usage", "/billing/statement?from=2024-02-01T00:30:00Z&to=2024-02-10T00:30:00Z", f"/billing/statement/receipt?{PERIOD}",
)  # fmt: skip


@pytest.fixture
def names(workspace: Workspace, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    settings.USAGE_KEPT_DAYS = 400
    monkeypatch.setattr(archive, "MOST_A_FILE", 7)
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 3)
    return three(workspace)


def content(client: Client, path: str) -> bytes:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[arg-type]


def statement(client: Client) -> str:
    return content(client, "/billing/statement.csv?from=2024-02-01T00:30:00Z&to=2024-03-10T00:30:00Z").decode()


def test_everything_reads_as_before(names: list[str], owner: User, bucket: Bucket) -> None:
    client = signed_in(owner)
    before, said = everything(names), statement(client)
    assert archive.archive(NOW) == 40
    assert sorted(bucket.names()) == sorted(part.path for part in Archive.objects.all())
    assert everything(names) == before
    assert statement(client) == said

    receipt = content(client, f"/billing/statement/receipt?{PERIOD}").splitlines()
    assert len(receipt) == 2 + sum(event["recorded_at"] < NOW.replace(year=2025) for event in before[names[0]])
    assert rollups.differences() == []
    call_command("audit_ledger")
    assert archive.archive(NOW) == 0


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", ["_keep", "_verify", "_delete"])
def test_whoever_dies_in_the_middle_loses_and_doubles_nothing(
    names: list[str], bucket: Bucket, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls, deed = everything(names), iter(range(100)), getattr(archive, step)

    def dying(*args: Any) -> Any:
        done = deed(*args)
        if next(calls) == 2:
            raise Killed
        return done

    with monkeypatch.context() as patched:
        patched.setattr(archive, step, dying)
        with pytest.raises(Killed):
            archive.archive(NOW)
    assert everything(names) == before
    archive.archive(NOW)
    assert everything(names) == before
    assert sorted(bucket.names()) == sorted(part.path for part in Archive.objects.all()), (
        "one file each, none left over"
    )
    assert UsageEvent.objects.count() == COUNT - 40


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_an_object_that_was_harmed_is_named(names: list[str], owner: User, bucket: Bucket, harm: str) -> None:
    client = signed_in(owner)
    archive.archive(NOW)
    for part in Archive.objects.all():
        found = bucket.objects.Object(part.path)
        found.put(Body=found.get()["Body"].read()[:-9]) if harm == "changed" else found.delete()
    for path in ASKED:
        answer = client.get(path)
        assert answer.status_code == 503, path
        assert "usage/2024-0" in answer.content.decode()
    with pytest.raises(CommandError, match=r"usage/2024-0\d/"):
        call_command("audit_ledger")


def test_a_bucket_that_is_gone_is_said_and_no_event_is_lost(
    names: list[str], owner: User, bucket: Bucket, settings: LazySettings
) -> None:
    before = everything(names)
    gone = {"BACKEND": BACKEND, "OPTIONS": {"bucket_name": "no-such-bucket"}}
    settings.STORAGES = {**settings.STORAGES, "archive": gone}
    with pytest.raises(CommandError, match="archive of old usage does not answer"):
        call_command("archive_usage")
    assert UsageEvent.objects.count() == COUNT
    assert everything(names) == before


@pytest.mark.parametrize("outage", ["refuses", "is silent"])
def test_without_a_network_a_page_says_so_within_seconds(
    names: list[str], owner: User, bucket: Bucket, outage: str, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in(owner)
    archive.archive(NOW)
    if outage == "refuses":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{probe.getsockname()[1]}")
        settings.STORAGES = {**settings.STORAGES}  # another client
    else:
        bucket.freeze()
    begun = time.monotonic()
    answer = client.get("/usage")
    took = time.monotonic() - begun
    assert answer.status_code == 503
    assert b"The archive of old usage does not answer" in answer.content
    assert took < 20
    bucket.thaw()


def test_usage_that_is_not_archived_needs_no_bucket(names: list[str], owner: User, bucket: Bucket) -> None:
    archive.archive(NOW)
    bucket.freeze()
    client = signed_in(owner)
    since = NOW.replace(day=1)
    assert (
        content(client, f"/billing/statement.csv?from={since:%Y-%m-%d}&to={NOW:%Y-%m-%d}").count(b"usage by model") > 1
    )
    bucket.thaw()


def test_what_a_bucket_needs_is_checked_when_a_process_starts(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.archive(None) == []
    settings.ARCHIVE_S3_BUCKET = "b"
    assert checks.archive(None) == []
    monkeypatch.setattr(checks, "find_spec", lambda name: None if name == "boto3" else object())
    (said,) = checks.archive(None)
    assert "boto3" in said.msg
    assert said.id == "mercato.E004"
