"""`manage.py deploy_ray`: the catalog's local models as a Ray Serve application, reached through the router."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.routing import replicas
from marketplace.catalog.models import Model
from marketplace.publishing.importing import LOCAL
from marketplace.training.artifact import SAVED_MODEL, kind_of

APPLICATION = "mercato"


class Command(BaseCommand):
    help = "Deploy local models on a Ray cluster and route to it; prints the address and the models as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", metavar="PUBLISHER/NAME", nargs="*", help="all live SavedModels if not given")
        parser.add_argument("--address", default="auto", help="of the cluster (default: the one on this machine)")
        parser.add_argument("--host", default="127.0.0.1", help="where Mercato reaches the cluster's HTTP port")
        parser.add_argument("--port", type=int, default=8100, help="that the application listens on")
        parser.add_argument("--least", type=int, default=1, help="Serve replicas of a model")
        parser.add_argument("--most", type=int, default=4)

    def handle(self, *args: Any, models: list[str], address: str, host: str, port: int, **options: Any) -> None:
        try:
            import ray
            from ray import serve
        except ImportError as error:
            raise CommandError("Ray is not installed: pip install -r requirements/ray.txt", returncode=2) from error
        found = _live(models)
        folder = str(settings.ROOT / "deploy" / "ray")
        sys.path.insert(0, folder)
        import mercato_serve

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address=address, log_to_driver=False, runtime_env={"working_dir": folder})
        except ConnectionError as error:
            raise CommandError(f"There is no Ray cluster at {address}: ray start --head", returncode=2) from error
        serve.start(http_options={"host": "0.0.0.0", "port": port})  # noqa: S104 – other machines of the cluster call it
        sources = {model.slug: str(settings.MODELS_DIR / _source(model)) for model in found}
        serve.run(
            mercato_serve.application(sources, options["least"], options["most"]), name=APPLICATION, route_prefix="/"
        )
        url = f"http://{host}:{port}"
        for model in found:
            assert model.live_version is not None, "only live ones were taken"
            # Its own source stays a place of the version: it answers when the cluster is gone.
            replicas.add(model.live_version, model.live_version.source)
            replicas.add(model.live_version, url, "ray")
        self.stdout.write(orjson.dumps({"url": url, "models": sorted(sources)}).decode())


def _live(names: list[str]) -> list[Model]:
    local = Model.objects.filter(live_version__engine=LOCAL).select_related("publisher", "live_version")
    known = {model.slug: model for model in local if kind_of(settings.MODELS_DIR / _source(model)) == SAVED_MODEL}
    missing = [name for name in names if name not in known]
    if missing or not known:
        raise CommandError(f"There is no live SavedModel {missing[0] if missing else 'here'}.", returncode=2)
    return [known[name] for name in names or known]


def _source(model: Model) -> str:
    assert model.live_version is not None, "filtered before"
    return model.live_version.source
