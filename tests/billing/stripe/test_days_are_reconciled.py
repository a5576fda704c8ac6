"""What Stripe dropped or has too much is found, told again or worked off, once, and everybody sees it."""

from __future__ import annotations

import json
import time
from datetime import UTC, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q
from django.test import Client

from billing.plans.allowances import open_workspace
from billing.sandbox.deliveries import signature
from billing.stripe import inbox, reconciliation, reports, sending
from billing.stripe.client import client, linked
from billing.stripe.models import Outcome, Reconciliation, Report, StripeEvent, StripeLink
from portal.accounts.models import User
from tests.fixtures.reporting import EVENTS, Metered


def days(metered: Metered) -> dict[str, str]:
    return {f"{row.day}": row.outcome for row in Reconciliation.objects.filter(workspace=metered.workspace)}


def compare_until_nothing_is_due(metered: Metered, hours: int = 30) -> None:
    """The jobs, for so long."""
    for _ in range(hours):
        metered.passes(hours=1)
        reconciliation.check_due(metered.now)
        metered.report()


def test_days_that_agree_are_compared_once_after_their_end(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.report_all()
    assert reconciliation.check_due(metered.now) == []
    metered.passes(hours=26)
    (row,) = reconciliation.check_due(metered.now)
    assert (row.ours, row.theirs, row.difference, row.outcome) == (5_000, 5_000, 0, Outcome.AGREES)
    assert reconciliation.check_due(metered.now) == []
    assert reconciliation.of(metered.workspace.pk, 40) == [row]


def test_dropped_usage_is_told_again_once_though_stripe_names_a_sample_only(metered: Metered) -> None:
    for hours in (4, 3, 2):
        metered.use(1_111_111 * hours, metered.now - timedelta(hours=hours))
    metered.use(1_000_000)
    metered.fault("drop_usage", count=3)
    metered.report_all()
    assert metered.theirs() < metered.ours()
    metered.passes(minutes=30)
    notices = metered.thin()
    assert len(notices) == 1
    for _ in range(3):
        deliver_thin(metered, notices[0])
    assert StripeEvent.objects.get(pk=notices[0]["id"]).handled_at is not None
    compare_until_nothing_is_due(metered)
    assert metered.agree()
    assert Outcome.CORRECTED in days(metered).values()
    assert Report.objects.filter(value__lt=0).exists(), "what Stripe lacks is a row"
    calls = len(metered.asked(EVENTS))
    compare_until_nothing_is_due(metered, 3)
    assert (len(metered.asked(EVENTS)), metered.agree()) == (calls, True)


def test_sums_that_lag_correct_nothing(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.report_all()
    metered.fault("lag", seconds=30 * 3600)
    metered.passes(hours=26)
    (row,) = reconciliation.check_due(metered.now)
    assert row.outcome == Outcome.DIFFERS
    metered.passes(minutes=10)
    assert reconciliation.check_due(metered.now) == [], "not before it stood for a while"
    metered.fault("lag", seconds=0)
    metered.passes(minutes=11)
    (row,) = reconciliation.check_due(metered.now)
    assert (row.outcome, row.corrections) == (Outcome.AGREES, 0)
    assert metered.agree()


def test_what_stripe_has_too_much_is_worked_off_by_the_next_usage(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.report_all()
    # Another program reported to our meter.
    client().v1.billing.meter_events.create(
        {
            "event_name": "mercato_usage",
            "identifier": "foreign",
            "timestamp": int(metered.now.timestamp()),
            "payload": {"stripe_customer_id": linked("customer", metered.workspace.pk) or "", "value": "3000"},
        },
        {"idempotency_key": "foreign"},
    )
    compare_until_nothing_is_due(metered)
    assert reports.carried_nanos(metered.workspace.pk) == -3_000_000
    for nanos in (1_000_000, 1_500_500, 4_000_000):
        metered.use(nanos)
        metered.passes(hours=2)
        metered.report_all()
    assert metered.agree(), "nobody pays for what he did not use"


def test_a_day_that_stays_wrong_is_left_to_a_person(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.fault("drop_usage", count=100)
    metered.report_all()
    compare_until_nothing_is_due(metered, 40)
    assert Outcome.STUCK in days(metered).values()
    assert len(metered.asked(EVENTS)) == 1 + reconciliation.MOST_CORRECTIONS


def test_a_day_with_reports_on_their_way_is_compared_later(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.report_all()
    metered.use(6_000_000)
    reports.flush(metered.workspace.pk, metered.now)
    metered.passes(hours=26)
    (row,) = reconciliation.check_due(metered.now)
    assert row.outcome == Outcome.EXPECTED
    sending.send_due(metered.now)
    metered.passes(minutes=11)
    (row,) = reconciliation.check_due(metered.now)
    assert (row.outcome, row.theirs) == (Outcome.AGREES, 11_000)


def test_a_customer_that_is_gone_at_stripe_holds_up_nobody_else(metered: Metered, stranger: User) -> None:
    other = stranger.personal_workspace
    open_workspace(other)
    metered.subscribe(other)
    for workspace in (metered.workspace, other):
        metered.use(5_000_000, workspace=workspace)
        reports.flush(workspace.pk, metered.now)
    sending.send_due(metered.now)
    gone = StripeLink.objects.get(kind="customer", key=other.pk)
    StripeLink.objects.filter(pk=gone.pk).update(stripe_id="cus_gone")
    Reconciliation.objects.filter(workspace=other).update(due_at=metered.now)
    metered.passes(hours=26)
    assert [row.workspace_id for row in reconciliation.check_due(metered.now)] == [metered.workspace.pk]
    assert Reconciliation.objects.get(workspace=other).outcome == Outcome.STUCK
    assert reconciliation.check_due(metered.now) == []


def test_today_shows_what_was_told_so_far(metered: Metered) -> None:
    metered.use(5_000_000)
    metered.report_all()
    (row,) = reconciliation.of(metered.workspace.pk, 3)
    assert (row.ours, row.outcome, row.checked_at) == (5_000, Outcome.EXPECTED, None)


def test_the_command_says_what_differs(metered: Metered, capsys: pytest.CaptureFixture[str]) -> None:
    metered.use(5_000_000)
    metered.report_all()
    day = Report.objects.get().timestamp.astimezone(UTC).date()
    call_command("reconcile", "--day", str(day))
    told = json.loads(capsys.readouterr().out)
    assert (told["compared"], told["differences"], told["difference_micros"]) == (1, 0, 0)
    metered.use(2_000_000)
    metered.fault("drop_usage")
    metered.report_all()
    with pytest.raises(CommandError):
        call_command("reconcile", "--day", str(day))
    assert json.loads(capsys.readouterr().out)["difference_micros"] == -2_000
    with pytest.raises(CommandError, match="2026-01-31"):
        call_command("reconcile", "--day", "yesterday")


def deliver_thin(metered: Metered, notice: dict[str, object]) -> None:
    body = json.dumps(notice).encode()
    headers = {"stripe-signature": signature(body, metered.sandbox.webhook_secret, int(time.time()))}
    answer = Client().post("/stripe/thin", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200
    if StripeEvent.objects.filter(pk=notice["id"]).exists():
        inbox.handle(str(notice["id"]))


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"nope", b'{"type": 3, "id": null}', b'{"id":"evt_1","type":"v2.x","created":"2"}']
)
def test_whatever_stripe_signed_is_taken_and_what_it_did_not_is_refused(metered: Metered, body: bytes) -> None:
    signed = signature(body, metered.sandbox.webhook_secret, int(time.time()))
    forged = signature(body, "whsec_other", int(time.time()))
    for header, status in ((signed, 200), (forged, 400)):
        answer = Client().post(
            "/stripe/thin", body, content_type="application/json", headers={"stripe-signature": header}
        )
        assert answer.status_code == status
    assert not StripeEvent.objects.filter(Q(pk="evt_1") | Q(type="v2.x")).exists()
