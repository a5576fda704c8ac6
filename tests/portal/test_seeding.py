"""A new installation's plans, starters and accounts."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command

from billing.plans.models import Plan
from marketplace.models import Model, Run
from marketplace.training.starters.registry import STARTERS
from portal.accounts.models import User


def seeded() -> dict[str, dict[str, dict[str, str]]]:
    out = StringIO()
    call_command("seed", stdout=out)
    said: dict[str, dict[str, dict[str, str]]] = json.loads(out.getvalue().splitlines()[-1])
    return said


@pytest.mark.django_db(transaction=True)
def test_seeding_twice_changes_nothing_and_any_password_does() -> None:
    path = settings.DATA_DIR / "demo-accounts.json"
    made = {
        "operator": {"email": "operator@mercato.example", "password": "-begins-with-a-hyphen"},
        "customer": {"email": "customer@mercato.example", "password": "--password"},
    }
    path.write_text(json.dumps(made))
    try:
        assert seeded() == seeded()
    finally:
        path.unlink()
    assert User.objects.get(email="operator@mercato.example").check_password("-begins-with-a-hyphen")
    assert User.objects.get(email="operator@mercato.example").is_superuser
    assert not User.objects.get(email="customer@mercato.example").is_staff
    assert (Plan.objects.count(), Model.objects.count(), Run.objects.count()) == (4, len(STARTERS), 3)
