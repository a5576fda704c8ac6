"""Who may review a model, and what its reviews come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from billing.metering import customers
from marketplace.catalog import listings
from marketplace.catalog.models import Listing, Model
from marketplace.reviews.models import MOST_STARS, Review
from portal.accounts.models import User, Workspace
from portal.kit.errors import Problem


class ReviewRefused(Problem):
    """Somebody who cannot judge the model: its publisher, or who never used it."""

    status = 403
    code = "review_refused"


@dataclass(frozen=True, slots=True)
class Summary:
    """`counts[0]` reviews gave one star, `counts[4]` five."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """How many reviews there are."""
        return sum(self.counts)

    @property
    def mean(self) -> float | None:
        """Stars, from 1 to 5; None without a review."""
        return sum(stars * count for stars, count in enumerate(self.counts, 1)) / self.total if self.total else None


def may_review(model: Model, workspace: Workspace) -> bool:
    """Whether the workspace used the model, and does not publish it."""
    return workspace.pk != model.publisher_id and customers.used_before(workspace.pk, model.slug, timezone.now())


def write(model: Model, workspace: Workspace, author: User, stars: int, text: str) -> Review:
    """The author's review, new or changed. Raises ReviewRefused (403)."""
    if not may_review(model, workspace):
        raise ReviewRefused("Only who used a model may review it, and its publisher may not.")
    version = model.live_version.number if model.live_version else None
    said = {"stars": stars, "text": text, "version": version, "changed_at": timezone.now()}
    with transaction.atomic():
        written = Review.objects.update_or_create(model=model, author=author, defaults=said)[0]
        count([model.pk])
    return written


def own(model: Model, author: User) -> Review | None:
    """What the author said of the model."""
    return Review.objects.filter(model=model, author=author).first()


def remove(model: Model, author: User) -> None:
    """Takes the author's own review back."""
    with transaction.atomic():
        Review.objects.filter(model=model, author=author).delete()
        count([model.pk])


def hide(reviews: QuerySet[Review], hidden: bool) -> None:
    """What breaks the rules is shown to its author alone and not counted, or is shown again."""
    with transaction.atomic():
        models = set(reviews.values_list("model", flat=True))
        reviews.update(hidden=hidden)
        count(models)


def count(model_ids: Iterable[str]) -> int:
    """Tells the catalog how these models are judged; how many of them otherwise than it knew."""
    counted = dict.fromkeys(model_ids, (0, 0))
    rows = Review.objects.filter(model__in=counted, hidden=False).order_by()
    for model, reviews, stars in rows.values_list("model").annotate(Count("pk"), Sum("stars")):
        counted[model] = (reviews, stars)
    return listings.note_reviews(counted)


def count_all() -> int:
    """The same of all that are or were reviewed: for a job, since authors go, and two may write at once."""
    known = Listing.objects.filter(reviews__gt=0).values_list("pk", flat=True)
    return count({*known, *Review.objects.order_by().values_list("model", flat=True).distinct()})


def seen_by(model: Model, reader: User | None) -> QuerySet[Review]:
    """The model's reviews, newest first; a hidden one is shown to its author alone."""
    shown = Q(hidden=False) | Q(author=reader) if reader is not None else Q(hidden=False)
    return Review.objects.filter(shown, model=model).select_related("author").order_by("-changed_at", "pk")


def summary(model: Model) -> Summary:
    """How many reviews gave how many stars."""
    rows = Review.objects.filter(model=model, hidden=False).values_list("stars").annotate(Count("pk")).order_by()
    found = dict(rows)
    return Summary(tuple(found.get(stars, 0) for stars in range(1, MOST_STARS + 1)))
