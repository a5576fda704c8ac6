"""Deeds that go on in threads of their own while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connections


@contextmanager
def meanwhile(*deeds: Callable[[], object]) -> Iterator[None]:
    """Each is done again and again until the block ends; none may fail."""
    done = threading.Event()
    failures: list[BaseException] = []

    def work(deed: Callable[[], object]) -> None:
        try:
            while not done.is_set():
                deed()
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
