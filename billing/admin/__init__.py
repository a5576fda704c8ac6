"""Money in the operators' console, a module a concept."""

from __future__ import annotations

from billing.admin import earnings, gate, ledger, metering, objectives, plans, prices, stripe

__all__ = ["earnings", "gate", "ledger", "metering", "objectives", "plans", "prices", "stripe"]
