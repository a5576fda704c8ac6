"""Starters that a new installation does not have at once: trained when an operator asks for it."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from billing.plans.seeds import seed_plans
from marketplace.catalog.models import Model
from marketplace.catalog.resolve import forget, resolve
from marketplace.training.models import Run
from marketplace.training.seeds import seed_starters
from portal.accounts.models import User, Workspace
from tests.fixtures.people import person, signed_in

PAGE = "/models/mercato/progression"


@pytest.fixture
def late(transactional_db: None) -> Model:
    """A starter that is not trained at first."""
    seed_plans()
    seed_starters(Workspace.objects.create(slug="mercato", name="Mercato"))
    Run.objects.all().delete()
    return Model.objects.get(name="progression")


@pytest.fixture
def operator(late: Model) -> Client:
    return signed_in(User.objects.create_superuser("root@example.com", "a-long-Passw0rd"))


def test_its_page_has_a_button_for_operators_which_queues_one_run(operator: Client, late: Model) -> None:
    page = operator.get(PAGE).text
    assert "Train this starter" in page
    assert '<span class="state untrained">no version yet</span>' in page
    for _ in range(2):
        assert operator.post(f"{PAGE}/train").headers["location"] == PAGE
    assert [run.state for run in late.runs.all()] == ["queued"]
    page = operator.get(PAGE).text
    assert "Waiting to be trained" in page
    assert "Train this starter" not in page


def test_nobody_else_has_it_trained(late: Model) -> None:
    ada = signed_in(person("ada@example.com"))
    assert "Train this starter" not in ada.get(PAGE).text
    assert ada.post(f"{PAGE}/train").status_code == 404
    assert not Run.objects.exists()


def test_the_console_has_several_trained_and_says_which_are_none(operator: Client, late: Model) -> None:
    other = Model.objects.create(publisher=late.publisher, name="other", task="tensor", title="Other")
    given = {"action": "train_starters", "_selected_action": [late.pk, other.pk]}
    page = operator.post("/admin/marketplace/model/", given, follow=True).text
    assert "mercato/progression is queued" in page
    assert "mercato/other is no starter model" in page
    assert Run.objects.get().model == late


@pytest.mark.slow
def test_a_command_trains_it_and_says_how_far_it_is(late: Model, settings: Any, tmp_path: Path) -> None:
    settings.MODELS_DIR = tmp_path
    out = StringIO()
    call_command("train", "progression", stdout=out)
    said = out.getvalue().splitlines()
    assert said[-1] == "mercato/progression is live: version 1."
    assert any(line.startswith("training: training, epoch") for line in said)
    forget()
    assert resolve("mercato/progression", late.publisher_id).task.name == "tabular-regression"


def test_the_command_lists_them_and_wants_a_name_that_there_is(late: Model) -> None:
    out = StringIO()
    call_command("train", stdout=out)
    assert "progression      tabular-regression       no version yet" in out.getvalue()
    with pytest.raises(CommandError, match="invalid choice"):
        call_command("train", "nothing")
    with pytest.raises(CommandError, match="seed"):
        call_command("train", "progression", "--publisher", "ada")
