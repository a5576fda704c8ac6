"""Money's pages, its API, and Stripe's way in."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from billing.gate import pages as gate_pages
from billing.gate.api import Budgets
from billing.receipts import api as receipts
from billing.statements import billing_pages, explain_pages, overview_pages, pages, publisher_pages, statement_pages
from billing.statements.api import UsageList
from billing.statements.credits_api import Credits
from billing.statements.earnings_api import Earnings
from billing.statements.generations import Generation
from billing.stripe import credit_pages, plan_pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("usage", pages.usage_page, name="usage"),
    path("usage/latest", pages.latest, name="usage_latest"),
    path("billing", overview_pages.billing_page, name="billing"),
    path("billing/at-stripe", overview_pages.at_stripe, name="billing_at_stripe"),
    path("billing/plan", plan_pages.plan_page, name="billing_plan"),
    path("billing/plan/state", plan_pages.plan_state, name="billing_plan_state"),
    path("billing/plan/change", plan_pages.change, name="billing_change_plan"),
    path("billing/plan/end", plan_pages.end, name="billing_end_plan"),
    path("billing/plan/resume", plan_pages.resume, name="billing_resume_plan"),
    path("billing/subscribe", plan_pages.subscribe, name="billing_subscribe"),
    path("billing/portal", billing_pages.portal, name="billing_portal"),
    path("billing/statement", statement_pages.statement_page, name="billing_statement"),
    path("billing/budgets", gate_pages.budgets_page, name="billing_budgets"),
    path("billing/budgets/<int:budget_id>", gate_pages.budget_page, name="billing_budget"),
    path("billing/budgets/<int:budget_id>/end", gate_pages.end_budget, name="billing_end_budget"),
    path("billing/credits", credit_pages.credits_page, name="billing_credits"),
    path("billing/credits/top-up", credit_pages.top_up, name="billing_top_up"),
    path("billing/invoices/<str:invoice_id>", explain_pages.invoice_page, name="billing_invoice"),
    path("billing/invoices/<str:invoice_id>/reports/<int:number>", explain_pages.reports_page, name="billing_reports"),
    path("billing/hours/<str:hour>", explain_pages.hour_page, name="billing_hour"),
    path("billing/requests/<str:event_id>", explain_pages.request_page, name="billing_request"),
    path("billing/reconciliation", explain_pages.reconciliation_page, name="billing_reconciliation"),
    path("billing/credits/recharge", credit_pages.auto_recharge, name="billing_recharge"),
    path("billing/credits/recharge/confirm", credit_pages.confirm_recharge, name="billing_confirm_recharge"),
    path("billing/credits/redeem", credit_pages.redeem, name="billing_redeem"),
    path("billing/statement.csv", statement_pages.statement_csv, name="billing_statement_csv"),
    path("billing/statement.xlsx", statement_pages.statement_xlsx, name="billing_statement_xlsx"),
    path("billing/statement/receipt", receipts.receipt_page, name="billing_receipt"),
    path(".well-known/mercato-receipt-key.json", receipts.public_keys, name="receipt_keys"),
    path("publisher", publisher_pages.publisher_page, name="publisher"),
    path("publisher/earnings.csv", publisher_pages.earnings_csv, name="publisher_csv"),
    path("publisher/onboarding", publisher_pages.onboard, name="publisher_onboard"),
    path("publisher/onboarding/again", publisher_pages.onboard_again, name="publisher_onboard_again"),
    path("publisher/onboarding/done", publisher_pages.onboarded, name="publisher_onboarded"),
    path("publisher/payouts", publisher_pages.payouts_page, name="publisher_payouts"),
    path("publisher/payouts/now", publisher_pages.pay_out, name="publisher_pay_out"),
    path("publisher/payouts/schedule", publisher_pages.choose, name="publisher_choose"),
    path("publisher/payouts/<slug:payout_id>", publisher_pages.payout_page, name="publisher_payout"),
    path("stripe/webhook", billing_pages.stripe_webhook, name="stripe_webhook"),
    path("v1/budgets", Budgets.as_view(), name="api_budgets"),
    path("v1/credits", Credits.as_view(), name="api_credits"),
    path("v1/generations/<str:generation_id>", Generation.as_view(), name="api_generation"),
    path("v1/usage/receipt", receipts.UsageReceipt.as_view(), name="api_usage_receipt"),
    path("stripe/thin", billing_pages.stripe_thin, name="stripe_thin"),
    path("v1/earnings", Earnings.as_view(), name="api_earnings"),
    path("v1/usage", UsageList.as_view(), name="api_usage"),
]
