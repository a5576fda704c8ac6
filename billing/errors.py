"""What billing may refuse, and why."""

from __future__ import annotations

from portal.kit.errors import Problem


class MoneyInvalid(Problem):
    """Not an amount of money."""

    status = 422
    code = "amount_invalid"


class PriceUnusual(Problem):
    """A price so far from its predecessor's or its kind's that the unit may be wrong; confirming publishes it."""

    status = 409
    code = "price_unusual"


class PriceConflict(Problem):
    """Somebody else published a price of the product in this very moment."""

    status = 409
    code = "price_conflict"


class NoticeTooShort(Problem):
    """A rise that would begin before its customers were told in time."""

    status = 409
    code = "price_notice"


class NoBudget(Problem):
    """The workspace's balance or a cap does not cover what the request may cost."""

    status = 402
    code = "insufficient_quota"


class NotEnoughCredit(Problem):
    """More is to be taken than there is."""

    status = 409
    code = "not_enough_credit"


class BudgetInvalid(Problem):
    """A budget cannot be like this."""

    status = 422
    code = "budget_invalid"


class StoreDown(Problem):
    """The database cannot keep the usage, so nothing was answered and nothing is billed."""

    status = 503
    code = "store_unavailable"
    retry_after_s = 1.0


class ArchiveUnreadable(Problem):
    """A file of archived usage is missing, or does not hold what was archived."""

    status = 503
    code = "archive_unreadable"
    retry_after_s = 60.0  # somebody has to bring the file back


class StripeUnavailable(Problem):
    """Stripe, or its stand-in, does not answer."""

    status = 503
    code = "stripe_unavailable"
    retry_after_s = 5.0


class PlanProblem(Problem):
    """The plan cannot be subscribed to or changed like this."""

    status = 409
    code = "plan_conflict"


class QuoteInvalid(Problem):
    """The quote is forged, has expired, or is for something else."""

    status = 422
    code = "quote_invalid"


class CostTooHigh(Problem):
    """The request may cost more than its caller allows."""

    status = 402
    code = "max_cost_exceeded"


class AgreementInvalid(Problem):
    """A publisher's terms or wishes that cannot be."""

    status = 422
    code = "agreement_invalid"


class PayoutRefused(Problem):
    """The payout cannot be made, or not be changed any more."""

    status = 409
    code = "payout_refused"


class OnboardingRefused(Problem):
    """Stripe will not pay this publisher like this."""

    status = 422
    code = "onboarding_refused"
