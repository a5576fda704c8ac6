"""Words for translators that come from below, where no Django is known. Tasks mark theirs themselves: see tasks/task.py."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

WORDS = (
    # Kinds of a dataset's columns.
    _("number"),
    _("category"),
    _("text"),
    _("date"),
    _("id"),
)
