"""Reports over a bad line: whatever goes wrong, Stripe's total equals ours to the micro-dollar."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from billing import jobs
from billing.plans.allowances import open_workspace
from billing.stripe import reports, sending
from billing.stripe.models import Report, ReportState, StripeLink
from portal.accounts.models import User, Workspace
from tests.fixtures.people import person
from tests.fixtures.reporting import EVENTS, Metered
from tests.fixtures.sdk import complaints


def test_replies_that_are_lost_after_the_work_count_once(metered: Metered) -> None:
    metered.use(12_345_678)
    metered.fault("lose_reply", count=4)
    metered.report_all()
    assert metered.agree()
    assert len(metered.asked(EVENTS)) == 5, "the same report, under the same identifier"


def test_a_storm_of_refusals_is_waited_out_and_not_fed(metered: Metered) -> None:
    metered.fault("rate_limit", count=12, seconds=600)
    metered.use(1_000_001)
    metered.report()
    refused = Report.objects.get()
    assert refused.state == ReportState.PENDING, "nothing was done"
    assert refused.next_attempt_at >= metered.now + timedelta(minutes=10), "as long as Stripe says"
    for _ in range(5):
        metered.passes(minutes=61)
        metered.use(1_000_001)
        metered.report()
    metered.report_all()
    assert metered.agree()
    assert len(metered.asked(EVENTS)) == 12 + Report.objects.count()


@pytest.mark.slow
def test_stripe_that_fails_is_left_in_peace_for_the_rest_of_a_round(metered: Metered) -> None:
    others = [person(f"p{n}@example.com").personal_workspace for n in range(2)]
    for workspace in (metered.workspace, *others):
        if workspace in others:
            metered.subscribe(workspace)
        for hours in range(1, 6):
            metered.use(5_000_000, metered.now - timedelta(hours=hours), workspace)
    metered.fault("rate_limit", count=100)
    metered.report()
    assert Report.objects.count() == 15
    assert sending.MOST_FAILURES <= len(metered.asked(EVENTS)) < sending.MOST_FAILURES + sending.SENDERS


def test_a_server_error_leaves_a_report_unsure_and_the_next_round_ends_it(metered: Metered) -> None:
    metered.use(7_000_000)
    metered.fault("server_error", count=3)
    metered.report()
    assert Report.objects.get().state == ReportState.UNSURE
    metered.passes(minutes=1)
    metered.report()
    assert metered.agree()


def test_two_senders_give_one_and_each_customer_has_one_call_at_a_time(metered: Metered, stranger: User) -> None:
    other = stranger.personal_workspace
    open_workspace(other)
    metered.subscribe(other)
    for workspace in (metered.workspace, other):
        for hours in (3, 2, 1):
            metered.use(1_000_000 * hours, metered.now - timedelta(hours=hours), workspace)
    reports.make(metered.now)
    metered.fault("delay", count=6, seconds=0.15)

    def send() -> None:
        try:
            for workspace in (metered.workspace, other):
                sending.send_of(workspace.pk, metered.now, sending.Round(1000))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sending.send_due(metered.now)
    calls = metered.asked(EVENTS)
    assert set(Counter(call["params"]["identifier"] for call in calls).values()) == {1}
    for workspace in (metered.workspace, other):
        assert metered.ours(workspace) == metered.theirs(workspace) == 6_000
    by_customer: dict[str, list[float]] = {}
    for call in calls:
        by_customer.setdefault(call["params"]["payload"]["stripe_customer_id"], []).append(call["at"])
    assert len(by_customer) == 2
    for begun in by_customer.values():
        assert all(later - earlier >= 0.15 for earlier, later in zip(begun, begun[1:], strict=False))


def test_reports_that_several_workers_make_at_once_are_made_once(metered: Metered) -> None:
    for hours in (3, 2, 1):
        metered.use(1_000_700 * hours, metered.now - timedelta(hours=hours))

    def make() -> None:
        try:
            reports.make(metered.now)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Report.objects.count(), reports.differences()) == (3, [])
    assert sum(Report.objects.values_list("value", flat=True)) == metered.ours()


def test_the_jobs_do_all_of_it(metered: Metered) -> None:
    metered.use(5_000_000)
    for job in (jobs.report_usage, jobs.report_late_usage, jobs.reconcile, jobs.invoice_late_usage):
        job()
    assert metered.agree()


def test_who_fell_silent_is_taken_over_and_writes_nothing_any_more(metered: Metered) -> None:
    metered.use(3_000_000)
    reports.make(metered.now)
    slow = sending.claim(Report, Q(), metered.now)
    assert slow is not None
    assert sending.claim(Report, Q(), metered.now) is None, "its customer's line is busy"
    assert metered.report() == 0
    metered.passes(minutes=3)
    assert metered.report() == 1
    # The slow one comes back with a refusal: it is too late to say so.
    sending._end(slow, ReportState.REJECTED, metered.now, "late")
    assert metered.agree()


@pytest.mark.slow
def test_an_outage_of_a_day_loses_and_doubles_nothing_though_stripe_forgot_the_identifiers(metered: Metered) -> None:
    metered.use(4_000_000)
    metered.fault("lose_reply", count=3)  # it arrived, and nobody knows
    metered.report()
    assert Report.objects.get().state == ReportState.UNSURE
    metered.sandbox.kill()
    for hour in range(26):
        metered.passes(stripes_too=False, hours=1)
        metered.use(1_000_777 + hour)
        reports.make(metered.now)
        if hour == 2:
            metered.report()
    assert Report.objects.filter(state=ReportState.ACCEPTED).count() == 0
    metered.sandbox.start()
    metered.sandbox.control("clock", advance_s=26 * 3600)
    metered.report_all()
    assert metered.agree()
    arrived = [call["params"]["identifier"] for call in metered.asked(EVENTS)]
    first = Report.objects.order_by("timestamp").first()
    assert first is not None
    assert first.identifier not in arrived, "it was found in the sums, and not told again"


def test_usage_that_stripe_takes_no_more_is_not_sent_and_needs_nobody(
    metered: Metered, caplog: pytest.LogCaptureFixture
) -> None:
    metered.use(5_000_000)
    reports.flush(metered.workspace.pk, metered.now)
    metered.passes(days=35)
    metered.report()
    report = Report.objects.get()
    assert (report.state, caplog.text) == (ReportState.TOO_OLD, "")
    assert metered.asked(EVENTS) == []


@pytest.mark.parametrize("minutes", [10, -10])
def test_a_clock_that_is_ten_minutes_wrong_changes_no_sum(metered: Metered, minutes: int) -> None:
    metered.sandbox.control("clock", advance_s=60 * minutes)
    metered.use(6_543_210)
    metered.report_all()
    metered.stripe.catch_up()
    assert metered.agree()


def test_a_round_over_ever_so_many_hours_makes_only_what_is_missing(metered: Metered, workspace: Workspace) -> None:
    for hours in range(30, 0, -1):
        metered.use(1_000_000 + hours, metered.now - timedelta(hours=hours))
    assert reports.make(metered.now) <= 8, "a round looks back some hours"
    reports.sweep(metered.now)
    metered.report_all()
    assert metered.agree()
    metered.use(999, metered.now - timedelta(hours=20))  # a late one
    assert reports.sweep(metered.now) == 1
    assert reports.make(metered.now) == reports.sweep(metered.now) == 0
    assert reports.carried_nanos(workspace.pk) == sum(range(1, 31)) % 1000 + 999 - 1000


def test_a_round_reads_recent_hours_only(metered: Metered) -> None:
    with CaptureQueriesContext(connection) as ran:
        reports.make(metered.now)
    assert ran.captured_queries
    if connection.vendor == "sqlite":  # PostgreSQL reads small tables whole, whatever index they have
        for query in ran.captured_queries:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plan = " ".join(str(step[-1]) for step in cursor.fetchall())
            assert "by_hour" in plan, query["sql"]
            assert "SCAN billing_" not in plan, query["sql"]


def test_what_was_refused_is_told_again_when_an_operator_mended_the_cause(metered: Metered) -> None:
    metered.use(5_000_000)
    known = StripeLink.objects.get(kind="customer", key=metered.workspace.pk)
    StripeLink.objects.filter(pk=known.pk).update(key="nobody")
    metered.report()
    assert Report.objects.get().state == ReportState.REJECTED
    known.save()
    assert sending.tell_again(Report.objects.all(), metered.passes(minutes=1)) == 1
    metered.report()
    assert metered.agree()
    assert sending.tell_again(Report.objects.all(), metered.now) == 0


def test_the_audit_finds_reports_that_fit_no_usage(metered: Metered) -> None:
    metered.use(5_000_700)
    metered.report_all()
    assert reports.differences() == []
    report = Report.objects.get()
    for wrong in ({"nanos": 6_000_000, "value": 6_000}, {"value": 4_000}):
        Report.objects.update(**wrong)
        assert len(reports.differences()) == 1
        report.save()
    assert reports.differences() == []


def test_a_request_that_the_sdk_does_not_know_would_be_noticed(metered: Metered) -> None:
    metered.use(1_000_000)
    metered.report()
    good = metered.asked(EVENTS)[0]
    assert complaints([good]) == []
    bad = [
        {**good, "params": {**good["params"], "colour": "red"}},
        {**good, "params": {key: value for key, value in good["params"].items() if key != "payload"}},
        {**good, "params": {**good["params"], "timestamp": "soon"}},
        {**good, "idempotency_key": "0f8fad5b-d9cb-469f-a165-70867728950e"},
        {**good, "version": "2020-01-01"},
        {**good, "path": "/v1/nothing"},
    ]
    assert [len(complaints([one])) for one in bad] == [1] * len(bad)
