"""Old usage goes to files, and everything that is asked about it gets the same answer."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.utils import timezone

from billing.errors import ArchiveUnreadable
from billing.gate.models import Lease
from billing.metering import archive, files, parquet, rollups
from billing.metering.log import Log
from billing.metering.models import Archive, Rollup, UsageEvent
from billing.prices.models import Price
from billing.statements import usage
from portal.accounts.models import User, Workspace
from portal.kit import ids

pytestmark = pytest.mark.django_db(transaction=True)
OLD = datetime(2024, 2, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 20, tzinfo=UTC)
COUNT = 60
PRICE = "price_of_old"


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    in_folder(tmp_path, settings)
    monkeypatch.setattr(archive, "MOST_A_FILE", 7)  # so that a workspace has several, and a file several workspaces
    monkeypatch.setattr(parquet, "ROWS_A_GROUP", 3)


def in_folder(folder: Path, settings: Any) -> None:
    """Usage older than 400 days goes there."""
    backend = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": backend, "OPTIONS": {"location": folder}}}
    settings.USAGE_KEPT_DAYS = 400


@pytest.fixture
def names(workspace: Workspace) -> list[str]:
    return three(workspace)


def three(workspace: Workspace) -> list[str]:
    """Three workspaces with usage of two old months and this one."""
    dice = random.Random(3)
    Price.objects.create(pk=PRICE, product="thing", version=1, rates={"output_token": 10_000_000})
    made = [workspace.pk, "ws_a", "ws_z"]
    events = []
    for number in range(COUNT):
        month = (OLD, OLD.replace(month=3), NOW.replace(day=1))[number % 3]
        events.append(
            UsageEvent(
                id=ids.make("use"), request_id=f"req_{number}", workspace_id=made[number % 7 % 3], key_id=f"key_{number % 2}",
                model=f"a/{number % 4}", version_id="v", protocol="openai", price_id=PRICE, latency_ms=number,
                units={"request": 1, "output_token": number}, cost_nanos=number * 10, seller_id="ws_s" if number % 5 else "",
                tier_from={"row": 10**17} if number % 9 == 0 else None, status="failed" if number % 11 == 0 else "succeeded",
                # Some at the very same moment: then their ids decide.
                recorded_at=month + timedelta(hours=dice.randrange(0, 300), microseconds=dice.randrange(2)),
            )
        )  # fmt: skip
    UsageEvent.objects.bulk_create(events)
    return made


def all_of(event: UsageEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in parquet.NAMES}


def everything(names: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Each workspace's events, page by page, the newest first."""
    seen = {}
    for name in names:
        seen[name], cursor = [], ""
        while True:
            page = usage.page(Log(name), cursor, 4)
            seen[name] += [all_of(event) for event in page.events]
            if not (cursor := page.next_cursor):
                break
    return seen


def rows() -> list[tuple[str, ...]]:
    fields = [field.name for field in Rollup._meta.fields if field.name != "id"]
    return sorted((*map(repr, row),) for row in Rollup.objects.values_list(*fields))


def test_archived_usage_reads_as_before(names: list[str]) -> None:
    before = everything(names)
    assert sum(map(len, before.values())) == COUNT
    assert archive.archive(NOW) == 40
    assert UsageEvent.objects.count() == 20
    assert not UsageEvent.objects.filter(recorded_at__lt=NOW - timedelta(days=400)).exists()
    assert Archive.objects.count() == 6, "three files a month"
    assert everything(names) == before
    for name in names:
        oldest = [all_of(event) for event in Log(name).oldest_first()]
        assert oldest == before[name][::-1]


def test_a_model_and_a_key_are_found_in_files_too(names: list[str]) -> None:
    def chosen() -> list[list[str]]:
        return [
            [event.pk for event in Log(name, OLD + timedelta(hours=9), NOW, model, key).newest(COUNT)]
            for name in names
            for model in ("", "a/1", "a/none")
            for key in ("", "key_1")
        ]

    before = chosen()
    assert sum(map(len, before)) > 80
    archive.archive(NOW)
    assert chosen() == before


def test_sums_that_cut_archived_hours_are_the_same(names: list[str]) -> None:
    moments = sorted(event["recorded_at"] for events in everything(names).values() for event in events)
    times = [(moments[3], moments[30]), (moments[5], moments[5] + timedelta(seconds=1)), (OLD, NOW)]

    def asked() -> list[Any]:
        return [
            (usage.breakdown(name, *time, by), usage.totals(name, *time, model="a/1"))
            for name in names
            for time in times
            for by in usage.By
        ]

    before = asked()
    archive.archive(NOW)
    assert asked() == before


def test_rollups_stay_and_are_rebuilt_from_the_files(names: list[str]) -> None:
    rollups.roll_up(timezone.now())
    before = rows()
    archive.archive(NOW)
    assert rows() == before
    assert rollups.differences() == []
    Rollup.objects.all().delete()
    rollups.rebuild()
    assert rows() == before


STEPS = ["half a file", "written", "verified", "noted", "half deleted"]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("time", [1, 3])
def test_whoever_dies_at_any_step_loses_and_doubles_nothing(
    names: list[str], step: str, time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, calls = everything(names), iter(range(100))

    def dying(deed: Any, first: bool) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            done = deed(*args, **kwargs) if not first else None
            if next(calls) == time:
                if step == "half a file":
                    path = files.storage().path(args[0])
                    Path(path).parent.mkdir(parents=True, exist_ok=True)
                    Path(path).write_bytes(args[1][: len(args[1]) // 2])
                raise Killed
            return deed(*args, **kwargs) if first else done

        return run

    with monkeypatch.context() as patched:
        if step == "half a file":
            patched.setattr(archive, "_keep", dying(archive._keep, first=True))
        elif step == "written":
            patched.setattr(archive, "_keep", dying(archive._keep, first=False))
        elif step == "verified":
            patched.setattr(archive, "_verify", dying(archive._verify, first=False))
        elif step == "noted":
            patched.setattr(Archive.objects, "create", dying(Archive.objects.create, first=False))
        else:
            patched.setattr(archive, "_AT_ONCE", 2)
            patched.setattr(archive, "_delete", dying(archive._delete, first=False))
        with pytest.raises(Killed):
            archive.archive(NOW)
    assert everything(names) == before
    archive.archive(NOW)
    assert UsageEvent.objects.count() == 20
    assert everything(names) == before
    assert rollups.differences() == []
    assert sum(part.rows for part in Archive.objects.all()) == 40


def test_a_file_that_is_not_what_was_written_costs_no_event(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before, keep = everything(names), archive._keep

    def spoiled(path: str, data: bytes) -> None:
        keep(path, data)
        Path(files.storage().path(path)).write_bytes(data[:40] + bytes([data[40] ^ 1]) + data[41:])

    monkeypatch.setattr(archive, "_keep", spoiled)
    with pytest.raises(ArchiveUnreadable):
        archive.archive(NOW)
    assert UsageEvent.objects.count() == COUNT
    assert everything(names) == before


@pytest.mark.parametrize("harm", ["changed", "missing"])
def test_a_file_that_was_harmed_is_named_and_nothing_is_read_from_it(
    names: list[str], owner: User, client: Client, capsys: pytest.CaptureFixture[str], harm: str
) -> None:
    archive.archive(NOW)
    client.force_login(owner)
    address = f"/usage?since={OLD:%Y-%m-%d}&until={NOW:%Y-%m-%d}"
    assert client.get(address).status_code == 200
    for part in Archive.objects.all():
        file = Path(files.storage().path(part.path))
        file.write_bytes(file.read_bytes()[:-9]) if harm == "changed" else file.unlink()
    answer = client.get(address)
    assert answer.status_code == 503
    assert "usage/2024-0" in answer.content.decode()
    with pytest.raises(CommandError, match=r"usage/2024-0\d/"):
        call_command("audit_ledger")


def test_two_workers_move_each_event_once(names: list[str]) -> None:
    before = everything(names)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            archive.archive(NOW)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    archive.archive(NOW)
    assert failures == []
    assert UsageEvent.objects.count() == 20
    assert everything(names) == before


def test_an_event_that_comes_after_its_month_was_archived_is_archived_too(names: list[str]) -> None:
    archive.archive(NOW)
    late = UsageEvent.objects.first()
    assert late is not None
    late.id, late.workspace_id, late.recorded_at = "use_0late", "ws_a", OLD + timedelta(hours=30)
    late.save()
    before = everything(names)
    assert archive.archive(NOW) == 1
    assert everything(names) == before
    assert rollups.differences() == []


def test_the_audit_counts_leases_and_events_in_files(workspace: Workspace, names: list[str]) -> None:
    lease = Lease.objects.create(
        workspace=workspace, process="p", granted_nanos=100, spent_nanos=70, closed_at=NOW, expires_at=NOW,
    )  # fmt: skip
    UsageEvent(
        id="use_1", request_id="r", workspace_id=workspace.pk, model="a/b", version_id="v", protocol="openai",
        units={"output_token": 7}, price_id=PRICE, cost_nanos=70, latency_ms=1, lease_id=lease.pk, recorded_at=OLD,
    ).save()  # fmt: skip
    call_command("audit_ledger")
    archive.archive(NOW)
    assert not UsageEvent.objects.filter(lease_id=lease.pk).exists()
    call_command("audit_ledger")


def test_a_store_without_a_folder_does_as_well(names: list[str], settings: Any) -> None:
    settings.STORAGES = {**settings.STORAGES, "archive": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    before = everything(names)
    assert archive.archive(NOW) == 40
    assert everything(names) == before
    assert storages["archive"].exists(Archive.objects.earliest("pk").path)


def test_usage_may_be_kept_for_ever(names: list[str], settings: Any) -> None:
    settings.USAGE_KEPT_DAYS = 0
    assert archive.archive(NOW) == 0
    assert UsageEvent.objects.count() == COUNT
