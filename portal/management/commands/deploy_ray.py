"""`manage.py deploy_ray`: the catalog's local models as Ray Serve applications, reached through the router."""

from __future__ import annotations

import logging
import os
import socket
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from inference.engines.ray import KEY_VARIABLE
from inference.routing import clusters
from inference.routing.clusters import Deployment
from portal.kit.errors import Problem

MOST = 4
SEEN_S = 20


class Command(BaseCommand):
    help = "Deploy local models on a Ray cluster and route to it; prints its address and the models as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", metavar="PUBLISHER/NAME", nargs="*", help="all live SavedModels if not given")
        parser.add_argument("--address", default="auto", help="of the cluster (default: the one on this machine)")
        parser.add_argument("--host", default="127.0.0.1", help="where Mercato reaches Serve's HTTP port")
        parser.add_argument("--port", type=int, default=8100, help="Serve's, on every machine of the cluster")
        parser.add_argument("--least", type=int, default=1, help="Serve replicas of a model")
        parser.add_argument("--most", type=int, default=MOST)
        parser.add_argument("--cpus", type=float, default=1.0, help="that Ray sets aside for a Serve replica")
        parser.add_argument("--models-dir", type=Path, help="where the cluster's machines see the models' folder")
        parser.add_argument("--alone", action="store_true", help="the cluster alone answers, this machine never")
        parser.add_argument("--remove", action="store_true", help="take the models off the cluster")
        parser.add_argument(
            "--write", metavar="FILE", type=Path, help="write a Serve config instead, for `serve deploy`"
        )

    def handle(self, *args: Any, models: list[str], **options: Any) -> None:
        if not 1 <= options["least"] <= options["most"] or options["cpus"] < 0 or not 0 < options["port"] < 65536:
            raise CommandError(
                "--least must be 1 or more and at most --most, --cpus 0 or more, --port 1 to 65535.", returncode=2
            )
        url = f"http://{options['host']}:{options['port']}"
        folder = options["models_dir"] or settings.MODELS_DIR
        try:
            found = clusters.deployments(models, folder, options["least"], options["most"], options["cpus"])
        except Problem as problem:
            raise CommandError(problem.message, returncode=2) from problem
        if options["write"]:
            config = clusters.serve_config(found, options["port"])
            options["write"].write_bytes(orjson.dumps(config, option=orjson.OPT_INDENT_2))
        else:
            with _cluster(options["address"]) as serve:
                if options["remove"]:
                    self._remove(serve, found, url)
                else:
                    self._deploy(serve, found, url, options["alone"])
        self.stdout.write(orjson.dumps({"url": url, "models": [one.model for one in found]}).decode())

    def _deploy(self, serve: Any, found: list[Deployment], url: str, alone: bool) -> None:
        here, key = urlsplit(url).hostname in ("127.0.0.1", "localhost"), os.environ.get(KEY_VARIABLE, "")
        if not here and not key:
            raise CommandError(
                f"Put a long random text into {KEY_VARIABLE}, here and for the web processes: without it, whoever reaches "
                "the cluster's port calls the models for nothing.",
                returncode=2,
            )
        # Serve keeps these if it already runs. Where Mercato is elsewhere, each machine of the cluster answers.
        serve.start(http_options={"host": "127.0.0.1" if here else "0.0.0.0", "port": urlsplit(url).port})  # noqa: S104
        states, program = clusters.running(serve), clusters.program()
        if states.get(clusters.DOOR) != "RUNNING":
            serve.run(program.door({}), name=clusters.DOOR, route_prefix="/v2")
        until(
            partial(clusters.answers, url),
            f"Serve does not answer at {url}: is the host right? Serve keeps the port that "
            "it was started with: if that was another, name it with --port.",
        )
        for one in found:
            if states.get(one.application) != "RUNNING" or not clusters.runs(url, one, key):
                self.stderr.write(f"{one.model}: deploying version {one.number} …")
                application = program.application({**one.arguments(), "key": key})
                try:
                    serve.run(application, name=one.application, route_prefix=one.route)
                except RuntimeError as error:
                    why = clusters.failure(serve, one) or str(error)
                    raise CommandError(f"{one.model} could not be deployed: {why[-1000:]}") from error
                until(
                    partial(clusters.runs, url, one, key),
                    f"{one.model} does not answer at {url}.",
                )
            clusters.register(one, url, alone=alone)

    def _remove(self, serve: Any, found: list[Deployment], url: str) -> None:
        for one in found:
            clusters.unregister(one, url)
            if one.application in clusters.running(serve):
                serve.delete(one.application)


def until(seen: Callable[[], bool], else_: str) -> None:
    """Waits until it is so: Serve's proxies learn of what runs a moment later. Raises CommandError."""
    ends = time.monotonic() + SEEN_S
    while not seen():
        if time.monotonic() > ends:
            raise CommandError(else_)
        time.sleep(0.2)


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    """Ray Serve on the cluster at the address."""
    try:
        import ray
        from ray import serve
    except ImportError as error:
        raise CommandError(
            "Ray is not installed here: pip install -r requirements/ray.txt, or --write a config for another machine.",
            returncode=2,
        ) from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise CommandError(
            f"No Ray cluster answers at {address}: start one with `ray start --head`, or name it with --address.",
            returncode=2,
        ) from error
    try:
        yield serve
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens: Ray itself would try for minutes."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), 5).close()
