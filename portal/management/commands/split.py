"""`manage.py split PUBLISHER/NAME 3=90 4=10`: a new version on a share of the calls."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from marketplace.catalog.models import Model
from marketplace.catalog.versions import split
from portal.kit.errors import Problem


class Command(BaseCommand):
    help = "Share a model's calls among versions by weight; without weights the live version answers all again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="PUBLISHER/NAME")
        parser.add_argument("weights", metavar="VERSION=WEIGHT", nargs="*")

    def handle(self, *args: Any, model: str, weights: list[str], **options: Any) -> None:
        publisher, _, name = model.partition("/")
        found = Model.objects.filter(publisher__slug=publisher, name=name).first()
        if found is None:
            raise CommandError(f"There is no model {model}.", returncode=2)
        try:
            shares = {int(number): int(weight) for number, _, weight in (one.partition("=") for one in weights)}
            split(found, shares)
        except ValueError as error:
            raise CommandError("Write weights like 3=90 4=10.", returncode=2) from error
        except Problem as error:
            raise CommandError(error.message, returncode=2) from error
        listed = {row.version.number: row.weight for row in found.splits.select_related("version")}
        self.stdout.write(orjson.dumps({str(number): weight for number, weight in listed.items()}).decode())
