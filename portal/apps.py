from __future__ import annotations

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # Here and not in portal/__init__.py, so that importing portal.kit loads no Celery.
        from portal import celery, checks  # noqa: F401 – the current Celery app for @shared_task; the checks register
