"""How English pages write days and times, in the letters of Django's filter `date`."""

from __future__ import annotations

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y, H:i"
SECOND_FORMAT = "j M Y, H:i:s"
TIME_FORMAT = "H:i:s"
