"""What one process was lent and has not spent, wanted by another that is short: marks on leases, seen within a moment."""

from __future__ import annotations

from collections.abc import Collection

from django.utils import timezone

from billing.gate.models import Lease


def ask(lease_ids: Collection[str]) -> None:
    """Marks the leases: their processes give back what is not held of them, now and until they are closed."""
    Lease.objects.filter(pk__in=lease_ids, closed_at=None, wanted_at=None).update(wanted_at=timezone.now())


def wanted(process: str) -> set[str]:
    """The marked leases of this process."""
    marked = Lease.objects.filter(process=process, closed_at=None, wanted_at__isnull=False)
    return set(marked.values_list("pk", flat=True))
