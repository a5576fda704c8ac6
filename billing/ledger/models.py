"""The book of all money. An entry moves an amount between two accounts, so no set of them can fail to balance."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.ledger.kinds import AccountKind
from portal.kit import ids


class Account(models.Model):
    """A place where money is. Positive: owed by us or earned; negative: owed to us (a receivable) or spent."""

    workspace = models.ForeignKey(
        "accounts.Workspace",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("workspace"),
    )
    kind = models.CharField(_("kind"), max_length=12, choices=AccountKind.choices)
    # Kept equal to credits − debits of its entries, in the transaction that writes them; the audit proves it.
    balance_nanos = models.BigIntegerField(_("balance"), default=0)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.UniqueConstraint(fields=["workspace", "kind"], name="one_account_a_kind"),
            models.UniqueConstraint(fields=["kind"], condition=Q(workspace=None), name="one_platform_account_a_kind"),
            models.CheckConstraint(
                condition=~Q(kind__in=["promo", "credit", "holds"]) | Q(balance_nanos__gte=0),
                name="credit_is_never_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workspace or 'platform'} · {self.get_kind_display()}"


def _transaction_id() -> str:
    return ids.make("txn")


class Transaction(models.Model):
    """One happening with money. `source` is its cause (`lease:…:open`, `invoice:…`): nothing posts twice."""

    id = models.CharField(primary_key=True, max_length=40, default=_transaction_id, editable=False)
    source = models.CharField(_("source"), max_length=120, unique=True)
    kind = models.CharField(_("kind"), max_length=30)
    memo = models.CharField(_("memo"), max_length=200, blank=True)
    posted_at = models.DateTimeField(_("posted"), default=timezone.now, db_index=True, editable=False)

    class Meta:
        verbose_name = _("transaction")
        verbose_name_plural = _("transactions")

    def __str__(self) -> str:
        return self.source


class Entry(models.Model):
    """An amount from one account (debit) to another (credit); never changed, never deleted."""

    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="entries")
    debit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="debits")
    credit = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="credits")
    amount_nanos = models.BigIntegerField(_("amount"))

    class Meta:
        verbose_name = _("entry")
        verbose_name_plural = _("entries")
        constraints = [
            models.CheckConstraint(condition=Q(amount_nanos__gt=0), name="an_entry_moves_something"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="an_entry_moves_somewhere"),
        ]
        # What moved between two accounts in a time is a range of this index: a transaction's id begins with its time.
        indexes = [
            models.Index(fields=["debit", "credit", "transaction", "amount_nanos"], name="moves_between_accounts")
        ]

    def __str__(self) -> str:
        return f"{self.debit} → {self.credit}: {self.amount_nanos}"


class Lot(models.Model):
    """Credit that came in at once; see lots.py."""

    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.PROTECT, related_name="+", verbose_name=_("workspace")
    )
    kind = models.CharField(_("kind"), max_length=12, choices=AccountKind.choices)  # promo or credit
    amount_nanos = models.BigIntegerField(_("amount"))
    left_nanos = models.BigIntegerField(_("left"))
    source = models.CharField(_("source"), max_length=120, unique=True)  # of the transaction that brought it
    memo = models.CharField(_("memo"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True)

    class Meta:
        verbose_name = _("credit lot")
        verbose_name_plural = _("credit lots")
        indexes = [
            models.Index(fields=["workspace", "kind"], condition=Q(left_nanos__gt=0), name="lots_of_a_workspace"),
            models.Index(fields=["expires_at"], condition=Q(left_nanos__gt=0), name="lots_that_expire"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(left_nanos__gte=0, left_nanos__lte=F("amount_nanos")), name="a_lot_is_never_overdrawn"
            )
        ]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.get_kind_display()} · {self.source}"
