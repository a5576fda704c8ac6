"""A day's usage has a row of its own: the sum of its folded hours."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.db import migrations, models

GROUP = ("workspace_id", "hour", "model", "key_id", "funding", "seller_id")


def sum_up(apps: Any, _editor: Any) -> None:
    """Day by day of each workspace, so that few rows are in memory."""
    hours, days = (apps.get_model("billing", name) for name in ("Rollup", "DayRollup"))
    rows = hours.objects.filter(part="").order_by("workspace_id", "hour").iterator()
    made = []
    for (workspace_id, day), of_it in groupby(rows, lambda row: (row.workspace_id, row.hour.replace(hour=0))):
        total: dict[tuple[str, ...], Any] = {}
        for row in of_it:
            group = (row.model, row.key_id, row.funding, row.seller_id)
            if group not in total:
                values = dict(zip(GROUP, (workspace_id, day, *group), strict=True))
                total[group] = days(**values, requests=0, failed=0, cost_nanos=0, units={})
            sum_ = total[group]
            for name in ("requests", "failed", "cost_nanos"):
                setattr(sum_, name, getattr(sum_, name) + getattr(row, name))
            for unit, count in row.units.items():
                sum_.units[unit] = sum_.units.get(unit, 0) + count
        for sum_ in total.values():
            sum_.units = dict(sorted(sum_.units.items()))
        made += total.values()
        if len(made) > 5_000:
            days.objects.bulk_create(made, batch_size=500)
            made = []
    days.objects.bulk_create(made, batch_size=500)


class Migration(migrations.Migration):
    dependencies = [("billing", "0022_usage_is_found_in_order")]

    operations = [
        migrations.CreateModel(
            name="DayRollup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("workspace_id", models.CharField(max_length=40)),
                ("hour", models.DateTimeField()),
                ("model", models.CharField(max_length=100)),
                ("key_id", models.CharField(blank=True, max_length=40)),
                ("funding", models.CharField(blank=True, max_length=12)),
                ("seller_id", models.CharField(blank=True, default="", max_length=40)),
                ("requests", models.BigIntegerField()),
                ("failed", models.BigIntegerField(default=0)),
                ("cost_nanos", models.BigIntegerField()),
                ("units", models.JSONField(default=dict)),
            ],
            options={
                "verbose_name": "daily usage",
                "verbose_name_plural": "daily usage",
                "indexes": [models.Index(fields=["hour"], name="rollups_by_day")],
                "constraints": [models.UniqueConstraint(fields=GROUP, name="one_rollup_a_day")],
            },
        ),
        migrations.RunPython(sum_up, migrations.RunPython.noop),
        migrations.RemoveIndex("rollup", "rollups_to_fold"),
        migrations.AddIndex(
            "rollup",
            models.Index(
                condition=models.Q(("part", ""), _negated=True),
                fields=["workspace_id", "part"],
                name="rollups_to_fold",
            ),
        ),
    ]
