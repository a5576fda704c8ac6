"""Stripe's test cards, and what their issuers answer (https://docs.stripe.com/testing)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from billing.sandbox.errors import CardError

DECLINES = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "expired_card": ("expired_card", "Your card has expired."),
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}


@dataclass(frozen=True, slots=True)
class TestCard:
    """How a card of that number behaves. `refuses` when it is entered, `fails` when it is charged later."""

    number: str
    token: str
    brand: str = "visa"
    refuses: str = ""
    fails: str = ""
    authenticates: str = ""  # always; or until it was set up
    disputed: bool = False
    at_once: bool = False  # its money is in the available balance at once
    refund_fails: bool = False  # the next day


CARDS = {
    card.number: card
    for card in (
        TestCard("4242424242424242", "pm_card_visa"),
        TestCard("5555555555554444", "pm_card_mastercard", brand="mastercard"),
        TestCard("378282246310005", "pm_card_amex", brand="amex"),
        TestCard("4000000000000077", "pm_card_bypassPending", at_once=True),
        TestCard("4000000000000002", "pm_card_visa_chargeDeclined", refuses="generic_decline"),
        TestCard("4000000000009995", "pm_card_visa_chargeDeclinedInsufficientFunds", refuses="insufficient_funds"),
        TestCard("4000000000000069", "pm_card_chargeDeclinedExpiredCard", refuses="expired_card"),
        TestCard("4000000000000341", "pm_card_chargeCustomerFail", fails="generic_decline"),
        TestCard("4000002500003155", "pm_card_authenticationRequiredOnSetup", authenticates="until set up"),
        TestCard("4000002760003184", "pm_card_authenticationRequired", authenticates="always"),
        TestCard("4000000000000259", "pm_card_createDispute", disputed=True),
        TestCard("4000000000005126", "pm_card_refundFail", refund_fails=True),
    )
}
TOKENS = {card.token: card for card in CARDS.values()}


def entered(text: str) -> TestCard:
    """The card of the number that was typed. Raises CardError for a number that is none."""
    digits = "".join(c for c in text if c.isdigit())
    if digits in CARDS:
        return CARDS[digits]
    if len(digits) < 15:
        raise CardError("Your card number is incomplete.", "incomplete_number")
    raise CardError(
        "Your card was declined: this is not a test card. Use 4242 4242 4242 4242.",
        "card_declined",
        "test_mode_live_card",
    )


def decline(reason: str, **found: object) -> CardError:
    """The issuer's refusal."""
    code, message = DECLINES[reason]
    return CardError(message, code, reason, **found)


def fingerprint(number: str) -> str:
    """The same for the same card."""
    return hashlib.sha256(number.encode()).hexdigest()[:16]
