"""/models/{publisher}/{name}/reviews, also as a fragment of the model's page."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketplace.catalog.access import model_of
from marketplace.reviews import reviewing
from marketplace.reviews.forms import ReviewForm
from portal.accounts.access import workspace_of
from portal.accounts.models import User

PAGE = 50
FRAGMENT = 3  # of them on the model's own page


def reviews(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The model's reviews, and a form for who used it."""
    reader = request.user if isinstance(request.user, User) else None
    workspace = workspace_of(request) if reader else None
    model = model_of(request, publisher, name)
    if request.method == "POST" and reader is None:
        return redirect_to_login(request.get_full_path())
    form = None
    if reader is not None and workspace is not None and reviewing.may_review(model, workspace):
        own = reviewing.own(model, reader)
        form = ReviewForm(
            request.POST if request.method == "POST" else None,
            initial={"stars": own.stars, "text": own.text} if own else None,
        )
    if request.method == "POST":
        if form is None:
            raise reviewing.ReviewRefused("Only who used a model may review it, and its publisher may not.")
        if form.is_valid():
            assert reader is not None and workspace is not None  # noqa: PT018 – there is a form
            reviewing.write(model, workspace, reader, **form.cleaned_data)
            messages.success(request, _("Thank you. Your review is shown on the model's page."))
            return redirect("model_reviews", publisher, name)
    whole = not request.headers.get("HX-Request")
    context = {
        "model": model,
        "summary": reviewing.summary(model),
        "reviews": reviewing.seen_by(model, reader)[: PAGE if whole else FRAGMENT],
        "form": form,
        "bars": list(enumerate(reviewing.summary(model).counts, 1))[::-1],
    }
    page = "marketplace/reviews/reviews.html" if whole else "marketplace/reviews/_reviews.html"
    return render(request, page, context, status=422 if form is not None and form.errors else 200)


@login_required
@require_POST
def remove(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Takes one's own review back."""
    assert isinstance(request.user, User)
    reviewing.remove(model_of(request, publisher, name), request.user)
    messages.success(request, _("Your review is gone."))
    return redirect("model_reviews", publisher, name)
