"""What an object at Stripe is now, written down: asked for outside of any transaction, written in a short one.

Of two that look at one object at once, who asked earlier must not write later. So each object has a row that counts what
was written of it. Who finds that it moved since before he asked writes nothing, and asks again. Where it moved twice,
somebody began to ask after him, and wrote: all that he was to write is there. Nothing is held while Stripe is asked, so
who is slow or dies holds up nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.db import models, transaction
from django.db.models import F

T = TypeVar("T")


class Mirror(models.Model):
    """How often an object at Stripe was written down here."""

    stripe_id = models.CharField(primary_key=True, max_length=64)
    writes = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.stripe_id}: {self.writes}"


def follow(stripe_id: str, fetch: Callable[[str], T], write: Callable[[T], object]) -> None:
    """Fetches an object and writes down what was found, never over what was fetched later. Raises what the two raise.

    `write` runs in a transaction and must not ask Stripe; it may be left out where another's newer state is written.
    """
    first = before = _writes(stripe_id)
    while True:
        found = fetch(stripe_id)
        with transaction.atomic():
            mirror, _new = Mirror.objects.select_for_update().get_or_create(stripe_id=stripe_id)
            if mirror.writes == before:
                write(found)
                Mirror.objects.filter(pk=stripe_id).update(writes=F("writes") + 1)
                return
        if mirror.writes >= first + 2:
            return
        before = mirror.writes


def _writes(stripe_id: str) -> int:
    return Mirror.objects.filter(pk=stripe_id).values_list("writes", flat=True).first() or 0
