"""`manage.py replica`: where a version runs, changed while it is called."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from inference.routing import replicas
from inference.routing.models import Replica
from marketplace.catalog.models import Model, Version
from portal.kit.errors import Problem


class Command(BaseCommand):
    help = "List, add, drain or remove replicas of PUBLISHER/NAME[@VERSION]; prints them as JSON."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=("list", "add", "drain", "remove"))
        parser.add_argument("model", metavar="PUBLISHER/NAME[@VERSION]")
        parser.add_argument("target", metavar="URL", nargs="?")
        parser.add_argument("--engine", default="", help="of the replica, where it is not the version's")

    def handle(self, *args: Any, action: str, model: str, target: str | None, engine: str, **options: Any) -> None:
        version = _version(model)
        if action != "list" and not target:
            raise CommandError("Name the replica's URL.", returncode=2)
        if action == "add":
            try:
                replicas.add(version, str(target), engine)
            except Problem as error:
                raise CommandError(error.message, returncode=2) from error
        elif action != "list":
            replica = Replica.objects.filter(version=version, target=str(target).rstrip("/")).first()
            if replica is None:
                raise CommandError(f"{model} has no replica at {target}.", returncode=2)
            (replicas.drain if action == "drain" else replicas.remove)(replica)
        listed = list(Replica.objects.filter(version=version).order_by("pk").values("id", "target", "state"))
        self.stdout.write(orjson.dumps(listed).decode())


def _version(name: str) -> Version:
    slug, _, number = name.partition("@")
    publisher, _, short = slug.partition("/")
    model = Model.objects.filter(publisher__slug=publisher, name=short).select_related("live_version").first()
    version = None
    if model is not None:
        version = model.versions.filter(number=number).first() if number.isdecimal() else model.live_version
    if version is None:
        raise CommandError(f"There is no model {name}.", returncode=2)
    return version
