"""Every address × everybody: what they may see. An address without a row fails."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from billing.gate import budgets
from billing.gate.budgets import Wish
from billing.metering.models import UsageEvent
from billing.models import Payout
from billing.plans.seeds import seed_plans
from billing.plans.terms import NOTHING
from billing.stripe.models import Invoice
from marketplace.collections import keeping
from marketplace.training import datasets, runs
from marketplace.training.models import Dataset
from portal.accounts.keys.issuing import issue
from portal.accounts.models import Membership, Role, User, Workspace
from portal.kit import ids
from tests.fixtures.people import signed_in

LOGIN = 302
WHO = ("anonymous", "stranger", "viewer", "member", "owner")
# Path → method, status for: anonymous, a stranger, a viewer, a member, the owner. `{key}`, `{hook}` and `{message}` are of the owner's.
ROWS: dict[str, tuple[str, str, int, int, int, int, int]] = {
    "home": ("GET", "/", 200, 200, 200, 200, 200),
    "catalog": ("GET", "/models", 200, 200, 200, 200, 200),
    "model": ("GET", "/models/olga/secret", 404, 404, 200, 200, 200),
    "leaderboard": ("GET", "/models/leaderboard", 200, 200, 200, 200, 200),
    "models_compare": ("GET", "/models/compare?m=olga/secret", 200, 200, 200, 200, 200),
    "models_feed": ("GET", "/models/feed.xml", 200, 200, 200, 200, 200),
    "model_preview": ("GET", "/models/olga/secret/preview.png", 404, 404, 200, 200, 200),
    "model_state": ("GET", "/models/olga/secret/state", 404, 404, 200, 200, 200),
    "model_train": ("POST", "/models/olga/secret/train", 302, 404, 404, 404, 404),
    "model_card": ("GET", "/models/olga/secret/card", 404, 404, 200, 200, 200),
    "model_versions": ("GET", "/models/olga/secret/versions", 404, 404, 200, 200, 200),
    "model_keep": ("POST", "/models/olga/secret/keep", 404, 404, 403, 302, 302),
    "model_reviews": ("GET", "/models/olga/secret/reviews", 404, 404, 200, 200, 200),
    "model_unreview": ("POST", "/models/olga/secret/reviews/remove", LOGIN, 404, 302, 302, 302),
    "collections": ("POST", "/collections", LOGIN, 422, 403, 422, 422),
    "collection": ("GET", "/collections/{collection}", 404, 404, 200, 200, 200),
    "collection_share": ("POST", "/collections/{collection}/share", LOGIN, 404, 403, 302, 302),
    "collection_delete": ("POST", "/collections/{collection}/delete", LOGIN, 404, 403, 302, 302),
    "model_health": ("GET", "/models/olga/secret/health", 404, 404, 200, 200, 200),
    "training": ("GET", "/training", LOGIN, 200, 200, 200, 200),
    "training_sample": ("POST", "/training/samples", LOGIN, 404, 403, 404, 404),
    "training_upload": ("POST", "/training/uploads", LOGIN, 422, 403, 422, 422),
    "dataset": ("GET", "/training/datasets/{dataset}", LOGIN, 404, 200, 200, 200),
    "dataset_content": ("GET", "/training/datasets/{dataset}/content", LOGIN, 404, 200, 200, 200),
    "dataset_delete": ("POST", "/training/datasets/{dataset}/delete", LOGIN, 404, 403, 302, 302),
    "dataset_train": ("GET", "/training/datasets/{table}/train", LOGIN, 404, 403, 200, 200),
    "run": ("GET", "/training/runs/{run}", LOGIN, 404, 200, 200, 200),
    "run_cancel": ("POST", "/training/runs/{run}/cancel", LOGIN, 404, 403, 302, 302),
    "run_publish": ("POST", "/training/runs/{run}/publish", LOGIN, 404, 403, 422, 422),
    "playground_token": ("POST", "/playground/token", LOGIN, 400, 400, 400, 400),
    "keys": ("POST", "/keys", LOGIN, 422, 403, 422, 422),
    "key": ("POST", "/keys/{key}", LOGIN, 404, 403, 422, 422),
    "rotate_key": ("POST", "/keys/{key}/rotate", LOGIN, 404, 403, 200, 200),
    "revoke_key": ("POST", "/keys/{key}/revoke", LOGIN, 404, 403, 302, 302),
    "usage": ("GET", "/usage", LOGIN, 200, 200, 200, 200),
    "usage_latest": ("GET", "/usage/latest", LOGIN, 200, 200, 200, 200),
    "billing": ("GET", "/billing", LOGIN, 200, 200, 200, 200),
    "billing_at_stripe": ("GET", "/billing/at-stripe", LOGIN, 200, 200, 200, 200),
    "billing_budgets": ("POST", "/billing/budgets", LOGIN, 422, 403, 403, 422),
    "billing_budget": ("GET", "/billing/budgets/{budget}", LOGIN, 404, 200, 200, 200),
    "billing_end_budget": ("POST", "/billing/budgets/{budget}/end", LOGIN, 404, 403, 403, 302),
    "billing_plan": ("GET", "/billing/plan", LOGIN, 200, 200, 200, 200),
    "billing_plan_state": ("GET", "/billing/plan/state", LOGIN, 200, 200, 200, 200),
    "billing_change_plan": ("POST", "/billing/plan/change", LOGIN, 404, 404, 404, 404),
    "billing_end_plan": ("POST", "/billing/plan/end", LOGIN, 302, 403, 403, 302),
    "billing_resume_plan": ("POST", "/billing/plan/resume", LOGIN, 302, 403, 403, 302),
    "billing_recharge": ("POST", "/billing/credits/recharge", LOGIN, 422, 403, 403, 422),
    "billing_confirm_recharge": ("POST", "/billing/credits/recharge/confirm", LOGIN, 302, 403, 403, 302),
    "billing_redeem": ("POST", "/billing/credits/redeem", LOGIN, 422, 403, 403, 422),
    "billing_subscribe": ("POST", "/billing/subscribe", LOGIN, 404, 403, 403, 404),
    "billing_portal": ("POST", "/billing/portal", LOGIN, 302, 403, 403, 302),
    "billing_statement": ("GET", "/billing/statement?from=2026-01-01&to=2026-01-31", LOGIN, 200, 200, 200, 200),
    "billing_credits": ("GET", "/billing/credits", LOGIN, 200, 200, 200, 200),
    "billing_top_up": ("POST", "/billing/credits/top-up", LOGIN, 422, 403, 403, 422),
    "billing_invoice": ("GET", "/billing/invoices/in_1", LOGIN, 404, 403, 403, 200),
    "billing_reports": ("GET", "/billing/invoices/in_1/reports/0", LOGIN, 404, 403, 403, 200),
    "billing_hour": ("GET", "/billing/hours/2026010112", LOGIN, 200, 200, 200, 200),
    "billing_request": ("GET", "/billing/requests/use_1", LOGIN, 404, 200, 200, 200),
    "billing_reconciliation": ("GET", "/billing/reconciliation", LOGIN, 200, 200, 200, 200),
    "billing_compare": ("GET", "/billing/compare?model=olga/secret", LOGIN, 404, 200, 200, 200),
    "billing_statement_csv": ("GET", "/billing/statement.csv", LOGIN, 200, 200, 200, 200),
    "billing_statement_xlsx": ("GET", "/billing/statement.xlsx", LOGIN, 200, 200, 200, 200),
    "billing_receipt": ("GET", "/billing/statement/receipt?from=2026-01-01&to=2026-01-31", LOGIN, 200, 200, 200, 200),
    "receipt_keys": ("GET", "/.well-known/mercato-receipt-key.json", 200, 200, 200, 200, 200),
    "publisher": ("GET", "/publisher", LOGIN, 200, 200, 200, 200),
    "publisher_csv": ("GET", "/publisher/earnings.csv", LOGIN, 200, 200, 200, 200),
    "publisher_onboard": ("POST", "/publisher/onboarding", LOGIN, 302, 403, 403, 302),
    "publisher_onboard_again": ("GET", "/publisher/onboarding/again", LOGIN, 302, 403, 403, 302),
    "publisher_onboarded": ("GET", "/publisher/onboarding/done", LOGIN, 302, 403, 403, 302),
    "publisher_payouts": ("GET", "/publisher/payouts", LOGIN, 200, 200, 200, 200),
    "publisher_pay_out": ("POST", "/publisher/payouts/now", LOGIN, 302, 403, 403, 302),
    "publisher_choose": ("POST", "/publisher/payouts/schedule", LOGIN, 422, 403, 403, 422),
    "publisher_payout": ("GET", "/publisher/payouts/payout_olga", LOGIN, 404, 200, 200, 200),
    "stripe_webhook": ("POST", "/stripe/webhook", 400, 400, 400, 400, 400),
    "stripe_thin": ("POST", "/stripe/thin", 400, 400, 400, 400, 400),
    "settings": ("GET", "/settings", LOGIN, 200, 200, 200, 200),
    "webhooks": ("POST", "/settings/webhooks", LOGIN, 422, 403, 422, 422),
    "signing_secret": ("POST", "/settings/webhooks/signing-secret", LOGIN, 200, 403, 200, 200),
    "webhook": ("GET", "/settings/webhooks/{hook}", LOGIN, 404, 200, 200, 200),
    "rotate_webhook": ("POST", "/settings/webhooks/{hook}/rotate", LOGIN, 404, 403, 200, 200),
    "test_webhook": ("POST", "/settings/webhooks/{hook}/test", LOGIN, 404, 403, 302, 302),
    "switch_webhook": ("POST", "/settings/webhooks/{hook}/switch", LOGIN, 404, 403, 302, 302),
    "delete_webhook": ("POST", "/settings/webhooks/{hook}/delete", LOGIN, 404, 403, 302, 302),
    "webhook_log": ("GET", "/settings/webhooks/{hook}/deliveries", LOGIN, 404, 200, 200, 200),
    "send_again": ("POST", "/settings/webhooks/{hook}/deliveries/{message}", LOGIN, 404, 403, 302, 302),
    "switch_workspace": ("POST", "/settings/workspace", LOGIN, 302, 302, 302, 302),
    "mailbox": ("GET", "/dev/mailbox", 200, 200, 200, 200, 200),
    "docs": ("GET", "/docs", 200, 200, 200, 200, 200),
    "api_reference": ("GET", "/docs/api", 200, 200, 200, 200, 200),
    "openapi": ("GET", "/openapi.json", 200, 200, 200, 200, 200),
    "status": ("GET", "/status", 200, 200, 200, 200, 200),
    "healthz": ("GET", "/healthz", 200, 200, 200, 200, 200),
    "readyz": ("GET", "/readyz", 200, 200, 200, 200, 200),
    "metrics": ("GET", "/metrics", 200, 200, 200, 200, 200),
    "set_language": ("POST", "/i18n/setlang/", 302, 302, 302, 302, 302),
    "javascript_catalog": ("GET", "/i18n/strings.js", 200, 200, 200, 200, 200),
    # The programming interface knows keys only: a browser's session opens nothing.
    "api_models": ("GET", "/v1/models", 401, 401, 401, 401, 401),
    "api_model": ("GET", "/v1/models/olga/secret", 401, 401, 401, 401, 401),
    "api_predictions": ("POST", "/v1/models/olga/secret/predictions", 401, 401, 401, 401, 401),
    "api_chat_completions": ("POST", "/v1/chat/completions", 401, 401, 401, 401, 401),
    "api_budgets": ("GET", "/v1/budgets", 401, 401, 401, 401, 401),
    "api_credits": ("GET", "/v1/credits", 401, 401, 401, 401, 401),
    "api_generation": ("GET", "/v1/generations/use_x", 401, 401, 401, 401, 401),
    "api_usage_receipt": ("GET", "/v1/usage/receipt", 401, 401, 401, 401, 401),
    "api_earnings": ("GET", "/v1/earnings", 401, 401, 401, 401, 401),
    "api_usage": ("GET", "/v1/usage", 401, 401, 401, 401, 401),
    "api_completions": ("POST", "/v1/completions", 401, 401, 401, 401, 401),
    "api_responses": ("POST", "/v1/responses", 401, 401, 401, 401, 401),
    "api_messages": ("POST", "/v1/messages", 401, 401, 401, 401, 401),
    "api_count_tokens": ("POST", "/v1/messages/count_tokens", 401, 401, 401, 401, 401),
    "api_embeddings": ("POST", "/v1/embeddings", 401, 401, 401, 401, 401),
    "api_images": ("POST", "/v1/images/generations", 401, 401, 401, 401, 401),
    "api_quotes": ("POST", "/v1/quotes", 401, 401, 401, 401, 401),
    "api_route": ("POST", "/v1/route", 401, 401, 401, 401, 401),
    "api_nowhere": ("GET", "/v1/nothing", 404, 404, 404, 404, 404),
    "api_own_key": ("GET", "/v1/key", 401, 401, 401, 401, 401),
    "api_keys": ("GET", "/v1/keys", 401, 401, 401, 401, 401),
    "api_key": ("GET", "/v1/keys/{key}", 401, 401, 401, 401, 401),
    "api_rotate_key": ("POST", "/v1/keys/{key}/rotate", 401, 401, 401, 401, 401),
    "api_tokens": ("POST", "/v1/tokens", 401, 401, 401, 401, 401),
    "tfs_predict": ("POST", "/v1/models/olga/secret:predict", 401, 401, 401, 401, 401),
    "tfs_version_predict": ("POST", "/v1/models/olga/secret/versions/1:predict", 401, 401, 401, 401, 401),
    "tfs_label_predict": ("POST", "/v1/models/olga/secret/labels/stable:predict", 401, 401, 401, 401, 401),
    "tfs_classify": ("POST", "/v1/models/olga/secret:classify", 401, 401, 401, 401, 401),
    "tfs_version_classify": ("POST", "/v1/models/olga/secret/versions/1:classify", 401, 401, 401, 401, 401),
    "tfs_label_classify": ("POST", "/v1/models/olga/secret/labels/stable:classify", 401, 401, 401, 401, 401),
    "tfs_regress": ("POST", "/v1/models/olga/secret:regress", 401, 401, 401, 401, 401),
    "tfs_version_regress": ("POST", "/v1/models/olga/secret/versions/1:regress", 401, 401, 401, 401, 401),
    "tfs_label_regress": ("POST", "/v1/models/olga/secret/labels/stable:regress", 401, 401, 401, 401, 401),
    "tfs_status": ("GET", "/v1/models/olga/secret/versions/1", 401, 401, 401, 401, 401),
    "tfs_metadata": ("GET", "/v1/models/olga/secret/metadata", 401, 401, 401, 401, 401),
    "oip_version_metadata": ("GET", "/v2/models/olga/secret/versions/1", 401, 401, 401, 401, 401),
    "oip_version_ready": ("GET", "/v2/models/olga/secret/versions/1/ready", 401, 401, 401, 401, 401),
    "api_prediction_list": ("GET", "/v1/predictions", 401, 401, 401, 401, 401),
    "api_prediction": ("GET", "/v1/predictions/x", 401, 401, 401, 401, 401),
    "api_cancel_prediction": ("POST", "/v1/predictions/x/cancel", 401, 401, 401, 401, 401),
    "api_prediction_events": ("GET", "/v1/predictions/x/stream", 401, 401, 401, 401, 401),
    "api_webhooks": ("GET", "/v1/webhooks", 401, 401, 401, 401, 401),
    "api_webhook": ("GET", "/v1/webhooks/x", 401, 401, 401, 401, 401),
    "api_webhook_secret": ("GET", "/v1/webhooks/x/secret", 401, 401, 401, 401, 401),
    "api_rotate_webhook": ("POST", "/v1/webhooks/x/rotate", 401, 401, 401, 401, 401),
    "api_test_webhook": ("POST", "/v1/webhooks/x/test", 401, 401, 401, 401, 401),
    "api_deliveries": ("GET", "/v1/webhooks/x/deliveries", 401, 401, 401, 401, 401),
    "api_retry_delivery": ("POST", "/v1/webhooks/x/deliveries/y/retry", 401, 401, 401, 401, 401),
    "api_files": ("GET", "/v1/files", 401, 401, 401, 401, 401),
    "api_file": ("GET", "/v1/files/x", 401, 401, 401, 401, 401),
    "api_file_content": ("GET", "/v1/files/x/content", 401, 401, 401, 401, 401),
    "api_batches": ("GET", "/v1/batches", 401, 401, 401, 401, 401),
    "api_batch": ("GET", "/v1/batches/x", 401, 401, 401, 401, 401),
    "api_cancel_batch": ("POST", "/v1/batches/x/cancel", 401, 401, 401, 401, 401),
    "api_retry_batch": ("POST", "/v1/batches/x/retry", 401, 401, 401, 401, 401),
    "oip_server": ("GET", "/v2", 200, 200, 200, 200, 200),
    "oip_live": ("GET", "/v2/health/live", 200, 200, 200, 200, 200),
    "oip_ready": ("GET", "/v2/health/ready", 200, 200, 200, 200, 200),
    "oip_metadata": ("GET", "/v2/models/olga/secret", 401, 401, 401, 401, 401),
    "oip_model_ready": ("GET", "/v2/models/olga/secret/ready", 401, 401, 401, 401, 401),
    "oip_infer": ("POST", "/v2/models/olga/secret/infer", 401, 401, 401, 401, 401),
    "oip_version_infer": ("POST", "/v2/models/olga/secret/versions/1/infer", 401, 401, 401, 401, 401),
}


def trained_on(workspace: Workspace) -> tuple[str, str]:
    """A dataset of the workspace that is ready, and a run on it that waits."""
    column = {
        "name": "y",
        "kind": "category",
        "task": "tabular-classification",
        "distinct": 2,
        "missing": 0,
        "bars": [],
    }
    table = Dataset.objects.create(
        workspace=workspace,
        name="t.csv",
        form="csv",
        size=9,
        state="ready",
        profile={"columns": [column], "target": "y"},
    )
    asked = {"target": "y", "task": "tabular-classification", "leave_out": [], "folds": 0}
    return table.pk, runs.queue_table(table, "dense", {}, asked, 60, NOTHING).pk


def names(resolver: URLResolver | None = None) -> set[str]:
    """Of our own addresses; allauth's and the console's have their own guards."""
    found = set()
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLPattern):
            found.add(str(entry.name))
        elif not str(entry.pattern).startswith(("accounts/", "admin/")):
            found |= names(entry)
    return found


@pytest.fixture
def everybody(owner: User, workspace: Workspace, teammate: User, stranger: User) -> list[Client]:
    from marketplace.catalog.models import Model
    from tests.fixtures.people import person

    seed_plans()
    Payout.objects.create(pk="payout_olga", seller=workspace, cents=2_500, state="paid")
    charged(workspace)
    Model.objects.create(publisher=workspace, name="secret", task="tensor", title="Secret", visibility="workspace")
    member = person("mia@example.com")
    Membership.objects.create(workspace=workspace, user=member, role=Role.MEMBER)
    clients = [Client(), signed_in(stranger), signed_in(teammate), signed_in(member), signed_in(owner)]
    for client in clients[2:4]:
        client.post("/settings/workspace", {"workspace": workspace.pk})
    return clients


def charged(workspace: Workspace) -> None:
    """An invoice `in_1` and a request `use_1` of the workspace."""
    then = datetime(2026, 1, 1, 12, tzinfo=UTC)
    line = {"description": "usage", "cents": 0, "quantity": 0, "usage": True, "start": 1767225600, "end": 1769904000}
    Invoice.objects.create(
        stripe_id="in_1", workspace=workspace, status="paid", currency="usd", total_cents=0, lines=[line],
        period_start=then, period_end=then, created_at=then,
    )  # fmt: skip
    UsageEvent.objects.create(
        id="use_1", request_id="req_1", workspace_id=workspace.pk, model="olga/secret", version_id="v", protocol="openai",
        units={"request": 1}, price_id="", cost_nanos=0, latency_ms=1, recorded_at=then,
    )  # fmt: skip


def hook_of(workspace: Workspace) -> tuple[str, str]:
    """A webhook of the workspace and a message to it."""
    from inference.later.deliveries import _make, _queue

    endpoint, _ = _make(workspace.pk, "https://example.com/hook", [])
    return endpoint.pk, _queue(endpoint, endpoint.url, "webhook.test", {}).pk


def test_every_address_has_a_row() -> None:
    assert names() == set(ROWS)


def test_everybody_sees_what_they_may(everybody: list[Client], workspace: Workspace) -> None:
    wrong = []
    for name, (method, path, *expected) in ROWS.items():
        for who, client, status in zip(WHO, everybody, expected, strict=True):
            key, _ = issue(workspace, "a key")
            hook, message = hook_of(workspace)
            body: dict[str, Any] = {"data": {}} if method == "POST" else {}
            named = {"key": key.pk, "hook": hook, "message": message}
            if "{dataset}" in path:
                named["dataset"] = datasets.begin(workspace, "olgas.csv", 9).pk
            if "{table}" in path or "{run}" in path:
                named["table"], named["run"] = trained_on(workspace)
            if "{budget}" in path:
                named["budget"] = budgets.make(workspace, Wish("total", "1", False, (80,), key_id=key.pk)).pk
            if "{collection}" in path:
                named["collection"] = keeping.make(workspace, ids.make("title")).pk
            answer = getattr(client, method.lower())(path.format(**named), **body)
            to_login = answer.headers.get("Location", "").startswith("/accounts/login/")
            if answer.status_code != status or to_login != (
                status == LOGIN and who == "anonymous" and name != "set_language"
            ):
                wrong.append(f"{name} as {who}: {answer.status_code} instead of {status}")
            if not answer.streaming and b"Traceback" in answer.content:
                wrong.append(f"{name} as {who} shows a traceback")
    assert not wrong


def test_the_console_is_for_operators(everybody: list[Client], owner: User) -> None:
    for client in everybody:
        assert client.get("/admin/").status_code == 302
    User.objects.filter(pk=owner.pk).update(is_staff=True, is_superuser=True)
    assert signed_in(owner).get("/admin/").status_code == 200
