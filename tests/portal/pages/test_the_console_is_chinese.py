"""The console's tables of money speak Chinese to operators who read it, and dollars to all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.admin.utils import label_for_field
from django.test import Client
from django.utils import timezone, translation

from billing import models
from billing.money import NANOS
from billing.plans.seeds import seed_plans
from billing.prices.publishing import publish
from marketplace.catalog.models import Model
from portal.accounts.models import User, Workspace
from tests.fixtures.people import person, signed_in
from tests.portal.pages.test_pages_are_chinese import STAYS

TABLES = [(table, of) for table, of in admin.site._registry.items() if table._meta.app_label == "billing"]


@pytest.fixture
def operator(transactional_db: None) -> Client:
    made = person("op@example.com")
    User.objects.filter(pk=made.pk).update(is_staff=True, is_superuser=True, language="zh-hans")
    return signed_in(User.objects.get(pk=made.pk))


def words(of: ModelAdmin) -> Iterator[str]:  # type: ignore[type-arg] # of any model
    """What the console says of a table: its names, columns, fields, choices and actions."""
    table = of.model
    yield from (str(table._meta.verbose_name), str(table._meta.verbose_name_plural))
    yield from (str(label_for_field(name, table, of)) for name in of.list_display)
    for field in table._meta.fields:
        if not field.auto_created:
            yield from (str(field.verbose_name), str(field.help_text))
        yield from (str(label) for _value, label in field.choices or ())
    yield from (str(getattr(of, f"{name}").short_description) for name in of.actions or ())


@pytest.mark.parametrize("of", [of for _table, of in TABLES], ids=[table.__name__ for table, _of in TABLES])
def test_each_table_of_money(of: ModelAdmin) -> None:  # type: ignore[type-arg] # of any model
    with translation.override("zh-hans"):
        said = list(words(of))
    english = [
        word
        for text in said
        for word in re.findall(r"[A-Za-z][A-Za-z']+", text)
        if word != "id" and not STAYS.match(word)
    ]
    assert english == []


def test_the_pages_of_prices_and_what_they_refuse(operator: Client, workspace: Workspace) -> None:
    model = Model.objects.create(publisher=workspace, name="net", task="chat", title="对话", visibility="public")
    publish(model.pk, {"request": NANOS})
    here = "/admin/price-book/models/olga/net/"
    for path in ("/admin/price-book/", here):
        assert "价目表" in operator.get(path).content.decode()
    page = operator.post(here, {"unit_request": "-5", "minimum": "10 €", "unit_row": "٣"})
    for field in ("unit_request", "minimum", "unit_row"):
        assert not page.context["form"].errors[field][0].isascii()
    assert "write it like" not in page.content.decode()
    assert operator.post(here, {"unit_request": "2"}).status_code == 302
    assert "按草稿价格" in operator.get("/admin/price-book/draft/").content.decode()


def test_amounts_are_in_dollars_wherever_they_stand(operator: Client, workspace: Workspace) -> None:
    paid = models.TopUp.objects.create(
        stripe_id="pi_1", workspace=workspace, status="succeeded", cents=2550, tax_cents=485, created_at=timezone.now()
    )
    for path in ("", f"{paid.pk}/change/"):
        page = operator.get(f"/admin/billing/topup/{path}").content.decode()
        assert "$25.50" in page
        assert "$4.85" in page
        assert not re.search(r"\b(2550|485)\b", page)


def test_a_field_in_dollars_speaks_of_no_other_unit(operator: Client) -> None:
    seed_plans()
    for path in ("plan/pro/change/", "plan/add/", "coupon/add/"):
        page = operator.get(f"/admin/billing/{path}").content.decode()
        assert "美元" in page
        assert "十亿分之一" not in page


def test_an_amount_that_is_none_is_refused_in_chinese(operator: Client) -> None:
    for wrong in ("-5", "1e99", "abc", "10 €", "٣"):
        page = operator.post("/admin/billing/coupon/add/", {"code": "FAIR", "amount_nanos": wrong}).content.decode()
        assert "请填写美元金额" in page
        assert f'value="{wrong}"' in page, "what was entered is still there"
    assert not models.Coupon.objects.exists()
