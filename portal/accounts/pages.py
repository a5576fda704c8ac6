"""A person's settings, and the mailbox of installations without SMTP."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.access import SESSION_KEY, workspace_of
from portal.accounts.forms import ProfileForm
from portal.accounts.mailbox import mails
from portal.accounts.models import Membership, User


def mailbox(request: HttpRequest) -> HttpResponse:
    """Mail that would have been sent; only without SMTP settings."""
    if settings.MAILBOX_DIR is None:
        raise Http404
    return render(request, "portal/accounts/mailbox.html", {"mails": mails(settings.MAILBOX_DIR)})


@login_required
def settings_page(request: HttpRequest) -> HttpResponse:
    """Name, language, and the workspaces one is a member of."""
    assert isinstance(request.user, User)
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("Saved."))
        return redirect("settings")
    memberships = Membership.objects.select_related("workspace").filter(user=request.user).order_by("workspace__name")
    return render(request, "portal/accounts/settings.html", {"form": form, "memberships": memberships})


@login_required
@require_POST
def switch_workspace(request: HttpRequest) -> HttpResponse:
    """Works in another workspace from now on; one that is not ours changes nothing."""
    request.session[SESSION_KEY] = request.POST.get("workspace", "")
    messages.success(request, _("You now work in %(name)s.") % {"name": workspace_of(request).name})
    return redirect("settings")
