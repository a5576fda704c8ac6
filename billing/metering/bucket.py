"""A bucket of S3 for archived usage. Needs django-storages[s3], which is loaded only where a bucket is named."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage


class Bucket(S3Storage):  # type: ignore[misc] # django-storages publishes no types
    """Answers within seconds, or fails: somebody may be waiting for a page."""

    def get_default_settings(self) -> dict[str, Any]:
        """django-storages' own, but for what is said here."""
        return {
            **super().get_default_settings(),
            "file_overwrite": False,
            "use_threads": False,  # a file is a few megabytes
            "client_config": Config(
                connect_timeout=3,
                read_timeout=5,
                retries={"mode": "standard", "total_max_attempts": 2},
                # Not every server that speaks S3 knows the checksums that boto3 adds; a file is named for its own.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        }
