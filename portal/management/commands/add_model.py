"""`manage.py add_model PUBLISHER/NAME …`: a version from a SavedModel or an upstream."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from billing.errors import MoneyInvalid, PriceUnusual
from billing.prices import book, notation, scrutiny
from billing.prices.quote import Scheme
from inference.routing import replicas
from marketplace.publishing import importing
from portal.accounts.models import Workspace
from portal.kit.errors import Problem

_OPTIONS = (
    "upstream_model",
    "upstream_key_env",
    "max_output_tokens",
    "context_length",
    "queue_max",
    "outstanding_max",
    "deadline_s",
    "batch",
)


class Command(BaseCommand):
    help = "Add a model, or the next version of one, to the catalog; prints the version's id."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="PUBLISHER/NAME")
        parser.add_argument("--task", required=True)
        parser.add_argument(
            "--engine", required=True, help="tensorflow; runner: the same for what a stranger made; openai, oip or ray"
        )
        parser.add_argument(
            "--source",
            required=True,
            help="a folder (SavedModel, KerasHub, Hugging Face), a .keras file, hf://org/name, or an upstream's address; "
            "also a .zip, .tar or .tar.gz of one",
        )
        parser.add_argument("--upstream-model", help="what the upstream calls the model")
        parser.add_argument("--upstream-key-env", metavar="VAR", help="the variable that holds the upstream's key")
        parser.add_argument("--max-output-tokens", type=int, help="of an upstream's answer")
        parser.add_argument(
            "--context-length", type=int, help="tokens of a prompt and its answer that an upstream takes"
        )
        parser.add_argument("--queue-max", type=int, help="requests that may wait for the model")
        parser.add_argument("--outstanding-max", type=int, help="requests that one replica may be given at once")
        parser.add_argument(
            "--batch", type=int, metavar="N", help="join requests up to N rows for an oip or ray upstream"
        )
        parser.add_argument("--deadline", type=float, dest="deadline_s", metavar="SECONDS", help="an answer may take")
        parser.add_argument(
            "--price",
            metavar="UNIT=USD",
            action="append",
            default=[],
            help="an amount, or tiers of a month: 'input_token=1000000: 0; 2.50'; may be repeated, see docs/pricing.md; "
            "without any price, that of the model stays",
        )
        parser.add_argument("--price-request", metavar="USD", help="as --price request=USD")
        parser.add_argument("--price-input", metavar="USD", help="a million input tokens")
        parser.add_argument("--price-output", metavar="USD", help="a million output tokens")
        parser.add_argument("--price-minimum", metavar="USD", default="", help="the least that a request costs")
        parser.add_argument(
            "--replica", metavar="URL", action="append", default=[], help="an upstream; may be repeated"
        )

        parser.add_argument(
            "--confirm-price",
            action="store_true",
            help="publish a price that is 100 times off its predecessor or its kind",
        )

    def handle(self, *args: Any, **given: Any) -> None:
        slug, _, name = given["model"].partition("/")
        try:
            if not slug or not name:
                raise Problem(f"{given['model']!r} is not of the form PUBLISHER/NAME.")
            scheme = _scheme(given)
            options = {key: given[key] for key in _OPTIONS if given[key]}
            importing.check_name(name, given["task"])
            Workspace(slug=slug, name=slug).clean_fields()
            brought = importing.bring_in(given["model"], given["task"], given["engine"], given["source"], options)
            with transaction.atomic():
                publisher = Workspace.objects.filter(slug=slug).first()
                if publisher is None:
                    publisher = Workspace.objects.create(slug=slug, name=slug)
                version = importing.add_version(publisher, name, brought, scheme, given["confirm_price"])
                for target in dict.fromkeys(given["replica"]):
                    replicas.add(version, target)
        except PriceUnusual as error:
            raise CommandError(f"{error.message} (--confirm-price)", returncode=2) from error
        except MoneyInvalid as error:
            raise CommandError(
                f"{error.param}: {error.message}" if error.param else error.message, returncode=2
            ) from error
        except Problem as error:
            raise CommandError(error.message, returncode=2) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=2) from error
        latest = book.listed(version.model_id).first()
        if latest is not None and latest.starts_at > timezone.now():
            self.stderr.write(
                f"The price rises on {latest.starts_at:%Y-%m-%d %H:%M} UTC: its customers are told first."
            )
        self.stdout.write(version.pk)


def _scheme(given: dict[str, Any]) -> Scheme | None:
    """None where nothing is said of the price. Raises MoneyInvalid."""
    written = [
        (unit, given[option])
        for unit, option in (
            ("request", "price_request"),
            ("input_token", "price_input"),
            ("output_token", "price_output"),
        )
        if given[option] is not None
    ]
    written += map(notation.pair, given["price"])
    if not written and not given["price_minimum"]:
        return None
    scheme = notation.scheme(written, given["price_minimum"])
    scrutiny.check(scheme)  # before anything is brought in, which may take minutes
    return scheme
