"""Money in the operators' console, a module a concept."""

from __future__ import annotations

from billing.admin import credit, earnings, gate, ledger, metering, objectives, payments, plans, prices, stripe

__all__ = ["credit", "earnings", "gate", "ledger", "metering", "objectives", "payments", "plans", "prices", "stripe"]
