"""Which caps bind a call: its workspace's always, its key's and those of the member who made the key where there are any."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.db.models import Q, QuerySet

from billing.gate.models import Budget, Lease
from portal.accounts.models import Key
from portal.kit.caches import RecentValues


class Binding(NamedTuple):
    """Whose caps bind. Blank and None: the key or member has none of its own."""

    workspace_id: str
    key_id: str = ""
    member_id: int | None = None


def _load(call: tuple[str, str]) -> Binding:
    workspace_id, key_id = call
    if not key_id:
        return Binding(workspace_id)
    maker = Key.objects.filter(pk=key_id).values("created_by")
    of_call = Q(key_id=key_id) | Q(member_id__in=maker)
    found = Budget.objects.filter(of_call, workspace_id=workspace_id, stops=True).values_list("key_id", "member_id")
    keys = {key for key, _member in found if key}
    members = {member for _key, member in found if member}
    return Binding(workspace_id, keys.pop() if keys else "", members.pop() if members else None)


_recent: RecentValues[tuple[str, str], Binding] = RecentValues(_load, settings.CATALOG_MAX_AGE_S)


def binding_of(workspace_id: str, key_id: str) -> Binding:
    """Whose caps bind a call with this key, at most a second old."""
    return _recent.get((workspace_id, key_id))


def forget() -> None:
    """The next call asks anew."""
    _recent.forget()


def caps_of(binding: Binding) -> QuerySet[Budget]:
    """The caps that bind, in the order in which they are locked."""
    of_call = Q(key=None, member=None)
    if binding.key_id:
        of_call |= Q(key_id=binding.key_id)
    if binding.member_id is not None:
        of_call |= Q(member_id=binding.member_id)
    return Budget.objects.filter(of_call, workspace_id=binding.workspace_id, stops=True).order_by("pk")


def binding_of_lease(lease: Lease) -> Binding:
    """Whose caps a lease was lent under."""
    return Binding(lease.workspace_id, lease.key_id, lease.member_id)


def leases_under(budget: Budget) -> QuerySet[Lease]:
    """The leases that a cap binds."""
    leases = Lease.objects.filter(workspace_id=budget.workspace_id)
    if budget.key_id:
        return leases.filter(key_id=budget.key_id)
    if budget.member_id:
        return leases.filter(member_id=budget.member_id)
    return leases
