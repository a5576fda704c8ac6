"""How Chinese pages write days and times, in the letters of Django's filter `date`."""

from __future__ import annotations

DATE_FORMAT = "Y年n月j日"
DATETIME_FORMAT = "Y年n月j日 H:i"
SECOND_FORMAT = "Y年n月j日 H:i:s"
TIME_FORMAT = "H:i:s"
