"""What the import linter cannot see: names in strings, and foreign keys by string."""

from __future__ import annotations

import re
from typing import Any

from django.apps import apps
from django.conf import settings
from django.urls import get_resolver
from django.utils.module_loading import import_string

from tests.house.tree import ROOT, files

# Each room may refer to itself and to what stands after it.
ORDER = ["inference", "marketplace", "billing", "accounts"]


def test_foreign_keys_point_down() -> None:
    for model in apps.get_models():
        if model._meta.app_label not in ORDER:
            continue
        for field in model._meta.get_fields():
            if field.is_relation and not field.auto_created and field.related_model is not None:
                other: Any = field.related_model
                if other._meta.app_label in ORDER:
                    here, there = ORDER.index(model._meta.app_label), ORDER.index(other._meta.app_label)
                    assert here <= there, f"{model.__name__}.{field.name} points up to {other.__name__}"


def test_every_url_name_in_a_template_exists() -> None:
    names: set[str] = set()

    def collect(resolver: Any, prefix: str = "") -> None:
        for entry in resolver.url_patterns:
            if hasattr(entry, "url_patterns"):
                collect(entry, f"{prefix}{entry.namespace}:" if entry.namespace else prefix)
            elif entry.name:
                names.add(prefix + entry.name)

    collect(get_resolver())
    missing = {
        f"{path}: {name}"
        for path in files(".html", ".txt")
        if path.parts[0] == "templates"
        for name in re.findall(r"{%\s*url\s+['\"]([^'\"]+)['\"]", (ROOT / path).read_text())
        if name not in names
    }
    assert not missing


def test_dotted_names_in_settings_can_be_imported() -> None:
    dotted = [
        *settings.MIDDLEWARE,
        *settings.AUTHENTICATION_BACKENDS,
        settings.ACCOUNT_ADAPTER,
        settings.WSGI_APPLICATION,
        settings.DESCRIBE_APART,
        settings.UNFOLD["DASHBOARD_CALLBACK"],
        *settings.TEMPLATES[0]["OPTIONS"]["context_processors"],
        settings.REST_FRAMEWORK["EXCEPTION_HANDLER"],
        *(name for key, names in settings.REST_FRAMEWORK.items() if key.endswith("_CLASSES") for name in names),
    ]
    for name in dotted:
        import_string(name)


def test_every_beat_entry_names_a_job_that_exists() -> None:
    from portal.celery import app

    app.loader.import_default_modules()
    for entry in app.conf.beat_schedule.values():
        assert entry["task"] in app.tasks
