"""What holds between the platform and a publisher, and what the publisher chose."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.earnings.models import WHOLE_BP, Agreement, Publisher, Schedule
from billing.errors import AgreementInvalid

HIGHEST_MINIMUM_CENTS = 1_000_000  # $10,000: a higher one would keep money back for no reason


@dataclass(frozen=True, slots=True)
class Terms:
    """The platform's fee in hundredths of a percent, the least payout in cents, and how long earnings wait."""

    fee_bp: int
    minimum_cents: int
    hold: timedelta

    def net(self, gross_nanos: int) -> int:
        """What an amount earns, alone: the fraction of a nano-dollar that accrual carries is left out."""
        return gross_nanos * (WHOLE_BP - self.fee_bp) // WHOLE_BP


def standard() -> Terms:
    """What holds for who has no agreement of their own."""
    return Terms(settings.PLATFORM_FEE_BP, settings.PAYOUT_MINIMUM_CENTS, timedelta(days=settings.PAYOUT_HOLD_DAYS))


def terms(seller_id: str, moment: datetime) -> Terms:
    """What holds between the platform and the publisher at a moment."""
    found = Agreement.objects.filter(seller_id=seller_id, starts_at__lte=moment).order_by("-starts_at").first()
    return _terms(found) if found else standard()


def agree(
    seller_id: str, fee_bp: int, minimum_cents: int, hold_days: int, starts_at: datetime, note: str = ""
) -> Agreement:
    """The publisher's next agreement. Raises AgreementInvalid (422) as `check` does."""
    check(fee_bp, minimum_cents, hold_days, starts_at)
    try:
        with transaction.atomic():
            return Agreement.objects.create(
                seller_id=seller_id, fee_bp=fee_bp, minimum_cents=minimum_cents, hold_days=hold_days,
                starts_at=starts_at, note=note,
            )  # fmt: skip
    except IntegrityError as error:
        raise AgreementInvalid(_("Another agreement starts at that very moment."), param="starts_at") from error


def check(fee_bp: int, minimum_cents: int, hold_days: int, starts_at: datetime) -> None:
    """Raises AgreementInvalid (422) for terms that cannot be, or that would change what has been earned."""
    if not 0 <= fee_bp <= WHOLE_BP:
        raise AgreementInvalid(_("The fee is between 0 and 100 percent."), param="fee_bp")
    if not 0 < minimum_cents <= HIGHEST_MINIMUM_CENTS:
        raise AgreementInvalid(_("The smallest payout is between $0.01 and $10,000."), param="minimum_cents")
    if not 0 <= hold_days <= 180:
        raise AgreementInvalid(_("Earnings wait 0 to 180 days."), param="hold_days")
    if starts_at < timezone.now() - timedelta(minutes=5):
        raise AgreementInvalid(
            _("An agreement holds from now on or later: what was earned keeps its fee."), param="starts_at"
        )


def fee_of(text: str) -> int:
    """Hundredths of a percent of a fee as people write it: 12.5, or 12.5 %. Raises AgreementInvalid (422)."""
    fee = _hundredths(text.strip().rstrip("%％"))
    if fee is None:
        raise AgreementInvalid(
            _("Write the fee in percent, with at most two decimals, like %(example)s.") % {"example": "12.5"},
            param="fee_bp",
        )
    return fee


def cents_of(text: str) -> int:
    """Cents of a smallest payout as people write it: 25, 25.00 or $25.00. Raises AgreementInvalid (422)."""
    cents = _hundredths(text.strip().removeprefix("$"))
    if cents is None:
        raise AgreementInvalid(_("Write the smallest payout in dollars and cents, like 25.00."), param="minimum_cents")
    return cents


def _hundredths(text: str) -> int | None:
    """None where the text is no number, or has more than two decimals."""
    try:
        number = Decimal(text.strip()) * 100
    except InvalidOperation:
        return None
    if not text.isascii() or not number.is_finite() or abs(number) >= 10**12 or number != number.to_integral_value():
        return None
    return int(number)


def choose(seller_id: str, schedule: str, minimum_cents: int) -> Publisher:
    """What the publisher wants: when to be paid, and from which amount on. Raises AgreementInvalid (422)."""
    least = terms(seller_id, timezone.now()).minimum_cents
    if schedule not in Schedule.values:
        raise AgreementInvalid(
            _("Choose %(choices)s.") % {"choices": ", ".join(str(label) for label in Schedule.labels)}, param="schedule"
        )
    if not least <= minimum_cents <= HIGHEST_MINIMUM_CENTS:
        raise AgreementInvalid(
            _("The smallest payout is between $%(least)s and $%(most)s.")
            % {"least": f"{least / 100:,.2f}", "most": f"{HIGHEST_MINIMUM_CENTS / 100:,.2f}"},
            param="minimum_cents",
        )
    with transaction.atomic():
        publisher = locked(seller_id)
        if publisher.schedule != schedule:
            publisher.decided_on = timezone.now().date()  # a payday before the change is none
        publisher.schedule, publisher.minimum_cents = schedule, minimum_cents
        publisher.save(update_fields=["schedule", "minimum_cents", "decided_on"])
    return publisher


def chosen(seller_id: str) -> Publisher:
    """The publisher's choice, which may not be saved yet."""
    return Publisher.objects.filter(seller_id=seller_id).first() or Publisher(seller_id=seller_id)


def locked(seller_id: str) -> Publisher:
    """The publisher's row, held until the transaction ends."""
    Publisher.objects.get_or_create(seller_id=seller_id)
    return Publisher.objects.select_for_update().get(seller_id=seller_id)


def _terms(agreement: Agreement) -> Terms:
    return Terms(agreement.fee_bp, agreement.minimum_cents, timedelta(days=agreement.hold_days))
