"""Tells a worker that there is something to do now. It would find it soon by itself: a row says so."""

from __future__ import annotations

import logging

import redis
from celery import current_app
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)


def wake(job: str) -> None:
    """Sends the job of inference/jobs.py. A broker that is down costs its caller a moment, and nothing else."""
    try:
        current_app.send_task(f"inference.jobs.{job}", retry=False)
    except (OperationalError, redis.RedisError, OSError) as error:
        log.error("no worker could be told of %s: %s", job, type(error).__name__)
