"""What the catalog is sorted and filtered by, kept beside each model: its price, quality, speed and use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from billing.prices import book, quote
from billing.prices.models import Price
from billing.prices.quote import FREE, Scheme
from marketplace.catalog.models import Listing, Model
from marketplace.tasks import registry

# A request as many are: what models are compared by. A model bills those of the units that its price names.
TYPICAL = {
    "request": 1,
    "row": 1,
    "image": 1,
    "input_token": 1_000,
    "output_token": 250,
    "pixel": 10**6,
    "millisecond": 100,
}
AT_ONCE = 500
LOOKS_BACK = timedelta(hours=1)
_WRITTEN = ("changed_at", "price_nanos", "quality", "percent", "context_length")


@dataclass(frozen=True, slots=True)
class Use:
    """Of a model in the last days. `p50_ms`: None where nothing was answered."""

    requests: int
    p50_ms: float | None


def relist(*model_ids: str) -> None:
    """Takes note of what changed about these models: texts, visibility, price or version. May be called twice."""
    models = list(Model.objects.filter(pk__in=model_ids).select_related("live_version"))
    prices = book.currents(model.pk for model in models)
    now = timezone.now()
    rows = [_listing(model, prices.get(model.pk), now) for model in models]
    Listing.objects.bulk_create(rows, update_conflicts=True, unique_fields=["model"], update_fields=_WRITTEN)


def keep(now: datetime) -> int:
    """Lists what is not, and models whose price began since they were listed; how many. For a job."""
    begun = Price.objects.filter(workspace_id="", starts_at__gt=now - LOOKS_BACK, starts_at__lte=now)
    starts = dict(begun.order_by("starts_at").values_list("product", "starts_at"))
    listed = Listing.objects.filter(pk__in=starts).values_list("pk", "changed_at")
    due = [pk for pk, changed_at in listed if changed_at < starts[pk]]
    relist(*due)
    count = len(due)
    missing = Model.objects.filter(Q(listing=None) | Q(listing__changed_at=Listing.NEVER)).order_by("pk")
    while ids := list(missing.values_list("pk", flat=True)[:AT_ONCE]):
        relist(*ids)
        count += len(ids)
    return count


def note_use(used: Mapping[str, Use]) -> int:
    """Keeps how the models did: `publisher/name` → its use of the last days; who is not named had none. How many changed."""
    before = Listing.objects.filter(Q(requests__gt=0) | Q(p50_ms__isnull=False))
    ids = {f"{who}/{name}": pk for pk, who, name in _named(used)}
    now = timezone.now()
    changed = []
    known = {row.pk: row for row in Listing.objects.filter(pk__in=ids.values())}
    for slug, use in used.items():
        row = known.get(ids.get(slug, ""))
        if row is not None and (row.requests, row.p50_ms) != (use.requests, use.p50_ms):
            row.requests, row.p50_ms, row.changed_at = use.requests, use.p50_ms, now
            changed.append(row)
    for row in before.exclude(pk__in=ids.values()):
        row.requests, row.p50_ms, row.changed_at = 0, None, now
        changed.append(row)
    Listing.objects.bulk_update(changed, ["requests", "p50_ms", "changed_at"], batch_size=AT_ONCE)
    return len(changed)


def note_reviews(counted: Mapping[str, tuple[int, int]]) -> int:
    """Keeps how models are judged: id → how many reviews, and their stars together. How many changed."""
    changed = [row for row in Listing.objects.filter(pk__in=counted) if (row.reviews, row.stars) != counted[row.pk]]
    for row in changed:
        row.reviews, row.stars = counted[row.pk]
        row.changed_at = timezone.now()
    Listing.objects.bulk_update(changed, ["reviews", "stars", "changed_at"], batch_size=AT_ONCE)
    return len(changed)


def typical_nanos(scheme: Scheme) -> int:
    """What a typical request costs, at the first tier."""
    femtos = sum(
        count * rate for count, rate in scheme.flat({u: n for u, n in TYPICAL.items() if scheme.asks(u)}).values()
    )
    femtos += sum(tiers.femtos(TYPICAL.get(unit, 0)) for unit, tiers in scheme.tiers.items())
    return max(quote.nanos(femtos), scheme.minimum_nanos)


def _named(slugs: Iterable[str]) -> list[tuple[str, str, str]]:
    names = {slug.partition("/")[2] for slug in slugs}
    return list(Model.objects.filter(name__in=names).values_list("pk", "publisher__slug", "name"))


def _listing(model: Model, price: Price | None, now: datetime) -> Listing:
    version = model.live_version
    metrics = version.metrics if version else {}
    first = next((one for one in registry.get(model.task).metrics if one.name in metrics), None)
    quality = metrics[first.name] * (1 if first.higher_is_better else -1) if first else None
    return Listing(
        model=model,
        changed_at=now,
        price_nanos=typical_nanos(price.scheme if price else FREE),
        quality=quality,
        percent=first is not None and first.percent,
        context_length=(version.spec.get("context_length") or 0) if version else 0,
    )
