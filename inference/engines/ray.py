"""A model on a Ray Serve cluster, where `manage.py deploy_ray` put it: the Open Inference Protocol at Serve's address."""

from __future__ import annotations

import os

from inference.engines.engine import ReplicaSpec
from inference.engines.oip import OipEngine

KEY_VARIABLE = "RAY_SERVE_KEY"  # the key that deploy_ray gave the cluster, if it did


class RayEngine(OipEngine):
    """An OIP upstream whose program is ours (deploy/ray): it takes bytes, and knows the cluster's key."""

    def headers(self, replica: ReplicaSpec) -> dict[str, str]:
        """See OipEngine."""
        key = os.environ.get(KEY_VARIABLE)
        return super().headers(replica) or ({"Authorization": f"Bearer {key}"} if key else {})

    def speaks_binary(self) -> bool:
        """It does."""
        return True
