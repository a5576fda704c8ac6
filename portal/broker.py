"""Jobs' messages as files in the data folder: kombu's filesystem transport, made safe for several processes.

kombu writes a message into the very file that a reader may pick up, so a reader can meet an empty one and die of it.
Here a message appears under its name when it is whole. `portal.celery` gives it the scheme folders://.
"""

from __future__ import annotations

import os
import time
import uuid
from typing import Any

from kombu.transport import filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    """Puts messages by renaming."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override] # kombu's own classes differ
        name = f"{time.monotonic_ns() // 1_000_000:015d}_{uuid.uuid4()}"
        building = os.path.join(self.data_folder_out, f"{name}.part")
        with open(building, "wb") as file:
            file.write(str_to_bytes(dumps(payload)))
        os.rename(building, os.path.join(self.data_folder_out, f"{name}.{queue}.msg"))


class Transport(filesystem.Transport):
    """kombu's, with our channel."""

    Channel = Channel
