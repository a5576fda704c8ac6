"""Models on a Ray Serve cluster: what is deployed there, under which address, and the replicas that say so.

Each model is an application of its own, so deploying one leaves the others as they are. Its address names the version:
a replica of version 1 is never answered by version 2 that took its place on the cluster.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import urllib3
from django.conf import settings
from django.db import transaction

from inference.routing import replicas
from inference.routing.models import Replica, ReplicaState
from marketplace.catalog.models import Model, Version
from marketplace.errors import ModelNotFound, SourceInvalid
from marketplace.publishing.importing import LOCAL
from marketplace.tasks.oip import MODELS
from marketplace.training.artifact import SAVED_MODEL, kind_of

ENGINE = "ray"
DOOR = "mercato"  # the application that answers /v2 itself
PROGRAM = "mercato_serve"
_FILE = settings.ROOT / "deploy" / "ray" / f"{PROGRAM}.py"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One version as an application on a cluster; `least` to `most` Serve replicas with `cpus` each."""

    version: Version
    model: str  # publisher/name
    folder: str  # as the cluster's machines see it
    least: int
    most: int
    cpus: float

    @property
    def number(self) -> int:
        """The version's."""
        return self.version.number

    @property
    def application(self) -> str:
        """Its name on the cluster: a publisher's slug has no dot."""
        return self.model.replace("/", ".", 1)

    @property
    def route(self) -> str:
        """Its path on Serve's port."""
        return MODELS + self.model

    @property
    def place(self) -> str:
        """The version's path on Serve's port."""
        return f"{self.route}/versions/{self.number}"

    @property
    def fingerprint(self) -> str:
        """Changes with all that a running application would have to be replaced for."""
        told = {**self._told(), "version": self.version.pk, "program": _FILE.read_text()}
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def arguments(self) -> dict[str, Any]:
        """For the program's `application`."""
        return {**self._told(), "fingerprint": self.fingerprint}

    def _told(self) -> dict[str, Any]:
        return {
            "model": self.model, "number": self.number, "folder": self.folder, "least": self.least, "most": self.most,
            "cpus": self.cpus,
        }  # fmt: skip


def deployments(names: list[str], folder: Path, least: int, most: int, cpus: float) -> list[Deployment]:
    """The live versions of these models, or of all that can be deployed; `folder` is where the cluster sees MODELS_DIR.

    Raises ModelNotFound, and SourceInvalid for a model that no SavedModel answers by tensors.
    """
    local = Model.objects.filter(live_version__engine=LOCAL).select_related("publisher", "live_version")
    known = {model.slug: model.live_version for model in local if model.live_version}
    fit = [slug for slug, version in sorted(known.items()) if _answers_by_tensors(version)]
    for name in names:
        if name not in known:
            raise ModelNotFound(f"There is no model {name[:120]!r} that runs on this machine.")
        if name not in fit:
            raise SourceInvalid(
                f"{name} is no SavedModel with the signature serving_default: the cluster cannot run it."
            )
    if not fit:
        raise ModelNotFound("There is no live SavedModel to deploy.")
    wanted = dict.fromkeys(names or fit)
    return [Deployment(known[name], name, str(folder / known[name].source), least, most, cpus) for name in wanted]


def _answers_by_tensors(version: Version) -> bool:
    return bool(version.spec.get("inputs")) and kind_of(settings.MODELS_DIR / version.source) == SAVED_MODEL


def program() -> ModuleType:
    """deploy/ray's module, which travels to the cluster inside of what is deployed: no file must be there."""
    pickle: Any = import_module("ray.cloudpickle")
    if PROGRAM not in sys.modules:
        found = spec_from_file_location(PROGRAM, _FILE)
        assert found is not None
        assert found.loader is not None
        sys.modules[PROGRAM] = module_from_spec(found)
        found.loader.exec_module(sys.modules[PROGRAM])
    pickle.register_pickle_by_value(sys.modules[PROGRAM])
    return sys.modules[PROGRAM]


def running(serve: Any) -> Mapping[str, str]:
    """The cluster's applications and their states."""
    return {name: application.status.value for name, application in serve.status().applications.items()}


def failure(serve: Any, one: Deployment) -> str:
    """The error for which the cluster could not deploy the version: the last line of what it tells."""
    application = serve.status().applications.get(one.application)
    told = [deployment.message for deployment in application.deployments.values()] if application else []
    lines = [line for line in "\n".join(told).splitlines() if line.strip()]
    return lines[-1] if lines else ""


def answers(url: str) -> bool:
    """Whether the program's door is at the address."""
    try:
        answer = urllib3.request("GET", f"{url}/v2", timeout=10.0, retries=False)
        return answer.status == 200 and "extensions" in answer.json()
    except (urllib3.exceptions.HTTPError, ValueError, TypeError):
        return False


def runs(url: str, one: Deployment, key: str) -> bool:
    """Whether the version answers there, deployed as it would be now."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = urllib3.request("GET", url + one.place, headers=headers, timeout=10.0, retries=False)
        return answer.status == 200 and answer.json()["parameters"]["fingerprint"] == one.fingerprint
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return False


def register(one: Deployment, url: str, *, alone: bool) -> None:
    """The version may be asked there from now on, and here as before unless `alone`; other versions no more there."""
    with transaction.atomic():
        unregister(one, url)
        replicas.add(one.version, url + one.place, ENGINE)
        if not alone:
            # It answers when the cluster is gone.
            replicas.add(one.version, one.version.source)
        else:
            for here in Replica.objects.filter(version=one.version, target=one.version.source):
                replicas.remove(here)


def unregister(one: Deployment, url: str) -> None:
    """No version of the model is asked there any more."""
    there = Replica.objects.filter(
        version__model_id=one.version.model_id, engine=ENGINE, target__startswith=f"{url}{one.route}/"
    )
    for replica in there.exclude(state=ReplicaState.REMOVED):
        replicas.remove(replica)


def serve_config(found: list[Deployment], port: int) -> dict[str, Any]:
    """What `serve deploy` and KubeRay's RayService take, for machines that have deploy/ray on their PYTHONPATH."""
    models = [
        {
            "name": one.application,
            "route_prefix": one.route,
            "import_path": f"{PROGRAM}:application",
            "args": one.arguments(),
        }
        for one in found
    ]
    door = {"name": DOOR, "route_prefix": "/v2", "import_path": f"{PROGRAM}:door", "args": {}}
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": port},  # noqa: S104 – every machine of the cluster answers
        "applications": [door, *models],
    }
