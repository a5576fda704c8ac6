from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Here and not in portal/__init__.py, so that importing portal.kit loads no Celery.
        from portal import celery  # noqa: F401 – makes it the current app for @shared_task
