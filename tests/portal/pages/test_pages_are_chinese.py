"""Every word of the pages of keys, webhooks, billing and publishers is Chinese for those who read Chinese."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.conf import LazySettings
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone, translation

from billing.credit.models import Coupon
from billing.earnings import accrual, take_backs
from billing.earnings.models import Destination, DestinationState, Payout, PayoutState
from billing.gate import caps, holds
from billing.gate.models import Budget
from billing.metering import rollups
from billing.objectives.models import Day, Objective
from billing.plans import announcing, dunning, limits
from billing.plans.models import Overdue, Plan, Subscription
from billing.plans.seeds import PRO
from billing.prices.models import Price
from billing.prices.publishing import publish
from billing.prices.quote import Step, Tiers
from billing.statements.statement import BY
from billing.stripe import checkout, topups
from billing.stripe.models import Invoice, Outcome, Reconciliation, Report
from billing.stripe.returns import Dispute
from inference.later import deliveries
from marketplace.catalog.models import Model, Version
from portal.accounts.keys.issuing import Limits, issue
from portal.accounts.models import Mail, User, Workspace
from tests.billing.earnings.using import NOW
from tests.billing.earnings.using import used as sold
from tests.billing.statements.test_a_charge_is_explained import used
from tests.fixtures.payments import Stripe
from tests.fixtures.people import signed_in
from tests.house.tree import ROOT

LETTERS = ROOT / "templates" / "mail" / "billing"

# Words that stay: names of protocols, libraries, units and examples.
STAYS = re.compile(
    r"^(API|UTC|Stripe|CSV|PDF|XLSX|Excel|Visa|visa|curl|JavaScript|OpenAI|SDK|openai|sam|TensorFlow|Webhook|Webhooks|Standard|Python|MB|ms|p50|p95|p99|Mercato|inference|usage|keys|webhook|"
    r"publisher|name|test|prediction|batch|completed|started|olga|example|com|http|https|hook|db8|xx)$"
)
# Addresses, identifiers of things (a key's has any of base64url), names of models.
NAMES = re.compile(r"\S+@\S+|\S+://\S+|\b(in|mk)_[\w…-]+|\b[A-Z0-9]+-\d+|\b(a|olga|sam)/\w+", re.ASCII)


@pytest.fixture
def reader(owner: User, settings: LazySettings) -> Client:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1"]
    User.objects.filter(pk=owner.pk).update(language="zh-hans")
    return signed_in(owner)


def english(html: str) -> list[str]:
    """The English words that a person would see."""
    main = html.split('<main id="main">', 1)[1].split("</main>")[0]
    main = re.sub(r"<(pre|code|script|textarea)\b.*?</\1>", " ", main, flags=re.S)
    seen = unescape(re.sub(r"<[^>]+>", " ", main)) + " ".join(
        re.findall(r'(?:aria-label|data-label|data-copied|placeholder)="([^"]+)"', main)
    )
    return [word for word in re.findall(r"[A-Za-z][A-Za-z']+[0-9]*", NAMES.sub(" ", seen)) if not STAYS.match(word)]


def shown(reader: Client, path: str) -> list[str]:
    """The English words of a page that is there."""
    answer = reader.get(path)
    assert answer.status_code == 200, path
    html = answer.content.decode()
    return english(html if "<main" in html else f'<main id="main">{html}</main>')


def test_keys(reader: Client, workspace: Workspace) -> None:
    assert english(reader.get("/keys").content.decode()) == []
    limits = Limits(rpm=5, tpm=6, concurrency=7, scopes=["keys"], models=["olga/*"], networks=["192.0.2.0/24"])
    key, _ = issue(workspace, "电脑", limits=limits)
    for period in ("day", "week", "month", "total"):
        caps.set_cap(key, 10**9, period)
    assert english(reader.get("/keys").content.decode()) == []
    assert english(reader.get(f"/keys/{key.pk}").content.decode()) == []
    assert english(reader.post(f"/keys/{key.pk}/rotate", {"overlap": "60"}).content.decode()) == []
    wrong = {
        "name": "", "kind": "live", "models": "x", "networks": "y", "rpm": "z", "cap_day": "q", "expires": "never",
    }  # fmt: skip
    answer = reader.post("/keys", wrong)
    assert set(answer.context["form"].errors) == {"models", "networks", "rpm", "cap_day", "expires"}
    told = [message for messages in answer.context["form"].errors.values() for message in messages]
    assert not [message for message in told if message.isascii()]
    made = reader.post("/keys", {"name": "手机"})
    assert english(made.content.decode().replace("mk_", "")) == []


def test_webhooks(reader: Client, workspace: Workspace) -> None:
    assert english(reader.get("/settings/webhooks").content.decode()) == []
    refused = reader.post("/settings/webhooks", {"url": "http://10.0.0.1/"})
    assert not refused.context["form"].errors["url"][0].isascii()
    page = reader.post("/settings/webhooks", {"url": "http://127.0.0.1:9/hook"})
    assert english(page.content.decode()) == []
    endpoint = page.context["endpoint"]
    deliveries.test(endpoint)
    deliveries.send_due(timezone.now())  # nobody is there
    log = reader.get(f"/settings/webhooks/{endpoint.pk}/deliveries").content.decode()
    assert "等待重试" in log
    assert english(reader.get("/settings").content.decode()) == []


def subscribed(at_stripe: Stripe, workspace: Workspace) -> Subscription:
    plan = Plan.objects.get(pk=PRO)
    at_stripe.pay(checkout.start(workspace, plan, "olga@example.com", "http://x/", "http://x/"))
    at_stripe.catch_up()
    return Subscription.objects.get(workspace=workspace)


def test_billing_of_who_has_just_begun(reader: Client, at_stripe: Stripe) -> None:
    for path in ("", "/at-stripe", "/statement", "/plan", "/budgets", "/credits", "/reconciliation"):
        assert shown(reader, f"/billing{path}") == [], path


def test_billing_of_a_subscriber(reader: Client, at_stripe: Stripe, funded: Workspace, owner: User) -> None:
    running = subscribed(at_stripe, funded)
    now = timezone.now()
    price = publish("product", {"request": 1_500_000_000, "input_token": 777_777_777})
    event = used(funded, price, {"request": 1, "input_token": 999})
    used(funded, None, {"request": 1}, recorded_at=now - timedelta(days=1))
    rollups.roll_up(now)
    hour = event.recorded_at.replace(minute=0, second=0, microsecond=0)
    Report.objects.create(
        identifier="rep-1", workspace=funded, hour=hour, part=1, nanos=5_000, value=5, timestamp=event.recorded_at
    )
    begin, end = (int((hour + timedelta(days=at)).timestamp()) for at in (-10, 10))
    lines = [{"description": "用量", "cents": 9, "quantity": 6, "usage": True, "start": begin, "end": end}]
    for state in ("paid", "open", "void", "draft", "uncollectible"):
        Invoice.objects.create(
            stripe_id=f"in_{state}", workspace=funded, status=state, currency="usd", total_cents=10, tax_cents=1,
            lines=lines, period_start=hour, period_end=hour, created_at=hour, hosted_url="https://x/1",
        )  # fmt: skip
    for days, outcome in enumerate(Outcome):
        Reconciliation.objects.create(
            workspace=funded, day=now.date() - timedelta(days=days), ours=1_000, theirs=990, outcome=outcome,
            corrections=1, corrected=-10, due_at=now, checked_at=now,
        )  # fmt: skip
    for path in (
        "", "/at-stripe", "/plan", "/plan/state", "/reconciliation", "/invoices/in_paid", "/invoices/in_open",
        "/invoices/in_paid/reports/0", f"/hours/{hour:%Y%m%d%H}", f"/requests/{event.pk}",
        *(f"/statement?by={by}" for by in BY),
    ):  # fmt: skip
        assert shown(reader, f"/billing{path}") == [], path
    dunning.begin(funded.pk, "in_open", now - timedelta(days=8), 1234, "https://pay.example/in_1")
    for step in (None, "reduced", "suspended"):
        if step:
            Overdue.objects.update(step=step)
        limits.forget()
        whole = reader.get("/billing").content.decode()
        assert "未付" in whole
        assert not re.search(r"unpaid|Pay now", whole)
    Subscription.objects.filter(pk=running.pk).update(cancel_at_period_end=True)
    assert shown(reader, "/billing/plan") == []


def test_credit(reader: Client, at_stripe: Stripe, funded: Workspace, owner: User) -> None:
    at_stripe.pay(topups.start(funded, 2500, owner.email, "form00001", "http://x/", "http://x/"))
    at_stripe.catch_up()
    coupon = Coupon.objects.create(code="SPRING-26", amount_nanos=10**9, most=2)
    reader.post("/billing/credits/redeem", {"code": coupon.code})
    for path in ("/billing/credits", "/billing/credits?paid", "/billing", "/billing/statement"):
        assert shown(reader, path) == [], path
    recharge = {"below": "5", "amount": "10", "month": "100", "enabled": "on"}
    assert english(reader.post("/billing/credits/recharge", recharge, follow=True).content.decode()) == []
    for path, form in (
        ("top-up", {"amount": "x"}),
        ("recharge", {**recharge, "amount": "1.001"}),
        ("redeem", {"code": "X"}),
    ):
        assert english(reader.post(f"/billing/credits/{path}", form, follow=True).content.decode()) == [], path


def test_budgets(reader: Client, funded: Workspace, owner: User) -> None:
    key, _ = issue(funded, "电脑", owner)
    form = {"name": "", "period": "month", "amount": "0.10", "stops": "yes", "thresholds": "50, 80"}
    for whom, stops in (("workspace", "yes"), (f"key:{key.pk}", "no"), (f"member:{owner.pk}", "yes")):
        assert reader.post("/billing/budgets", {**form, "whom": whom, "stops": stops}).status_code == 302
    hold = holds.hold(funded.pk, "", 10**7)
    assert shown(reader, "/billing/budgets") == []
    holds.release(hold)
    for budget in Budget.objects.all():
        assert shown(reader, f"/billing/budgets/{budget.pk}") == []
    wrong = {"whom": "某人", "period": "年", "amount": "0", "stops": "也许", "thresholds": "一半"}
    refused = reader.post("/billing/budgets", wrong)
    assert refused.status_code == 422
    assert english(refused.content.decode()) == []


def test_a_publisher(reader: Client, workspace: Workspace, stranger: User) -> None:
    for path in ("/publisher", "/publisher/payouts"):
        assert shown(reader, path) == [], path
    for days, model in ((10, "olga/net"), (1, "olga/small")):
        sold(stranger, workspace, 100 * 10**9, at=NOW - timedelta(days=days), model=model)
    sold(stranger, workspace, 10**9, at=timezone.now())
    accrual.accrue(NOW)
    payer = stranger.personal_workspace.pk
    take_backs.take_back(payer, NOW - timedelta(days=11), NOW - timedelta(days=9), (1, 2), "refund:re_1", "慢")
    take_backs.carry_out(NOW)
    assert english(reader.post("/publisher/payouts/now", follow=True).content.decode()) == []
    for state in DestinationState:
        Destination.objects.update_or_create(
            stripe_id="acct_1", defaults={"seller": workspace, "country": "DE", "state": state}
        )
        for path in ("/publisher", "/publisher/payouts"):
            assert shown(reader, path) == [], (state, path)
    Destination.objects.update(state=DestinationState.ACTIVE)
    assert english(reader.post("/publisher/payouts/now", follow=True).content.decode()) == []
    payout = Payout.objects.get()
    for stage in PayoutState:
        Payout.objects.update(state=stage)
        for path in ("/publisher", "/publisher/payouts", f"/publisher/payouts/{payout.pk}"):
            assert shown(reader, path) == [], (stage, path)
    for schedule in ("weekly", "monthly", "manual"):
        chosen = reader.post("/publisher/payouts/schedule", {"schedule": schedule, "minimum": "x"}, follow=True)
        assert english(chosen.content.decode()) == []


def test_what_models_cost_and_promise(reader: Client, workspace: Workspace, stranger: User) -> None:
    shop = stranger.personal_workspace
    models = []
    for name in ("mine", "other"):
        model = Model.objects.create(publisher=shop, name=name, task="chat", title="对话", visibility="public")
        model.live_version = Version.objects.create(model=model, number=1, engine="openai", source="http://x")
        model.save()
        models.append(model)
    tiers = Tiers("graduated", (Step(1000, 0), Step(None, 10**9)))
    publish(models[1].pk, {"input_token": 10**9}, tiers={"output_token": tiers}, minimum_nanos=1000)
    used(workspace, None, {"request": 1, "input_token": 9}, model="sam/mine")
    objective = Objective.objects.create(
        model="sam/other", starts_on=timezone.now().date(), uptime_bp=9_900, p95_ms=300, empty_bp=100, credit_bp=1_000
    )
    Day.objects.create(objective=objective, day=timezone.now().date(), requests=9, failed=1, empty=1, broken="uptime")
    for path in ("/models/sam/other", "/billing/compare", "/billing/compare?model=sam/other"):
        assert shown(reader, path) == [], path


def test_the_mail_of_a_price(owner: User, workspace: Workspace, at_stripe: Stripe) -> None:
    User.objects.update(language="zh-hans")
    now = timezone.now()
    publish("product", {"request": 10**9})
    publish("product", {"request": 2 * 10**9}, starts_at=now + timedelta(days=40))
    used(workspace, None, {"request": 1}, model="a/b")
    now = timezone.now()
    rollups.roll_up(now)
    assert announcing.announce("product", "a/b", now) == 1
    mail = Mail.objects.get()
    assert "请求" in mail.body, "the prices too are told in the reader's language"
    assert english(f'<main id="main">{mail.subject} {mail.body}</main>') == []


@pytest.mark.parametrize("name", sorted(path.name for path in LETTERS.iterdir()))
@pytest.mark.django_db
def test_each_mail(name: str) -> None:
    now, amount = timezone.now(), "$1.00"
    context = {
        "amount": amount, "limit": amount, "balance": amount, "spent": amount, "before": amount, "after": amount, "site": "",
        "budget": Budget(name="某项", limit_nanos=1, period="month"), "percent": 50, "until": now, "again_at": now,
        "payout": Payout(pk="1"), "dispute": Dispute(answer_until=now, workspace=Workspace(name="某人")), "reason": "某故",
        "price": Price(starts_at=now, grandfather_until=now), "model": "某模型", "rpm": 10, "reduced_on": now.date(),
        "suspended_on": now.date(), "pay_url": "http://x/1",
    }  # fmt: skip
    with translation.override("zh-hans"):
        mail = re.sub(r"/[a-z][\w/]*", " ", render_to_string(f"mail/billing/{name}", context))
    assert english(f'<main id="main">{mail}</main>') == []
