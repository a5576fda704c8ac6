"""On PostgreSQL usage events get a table a month. What there was becomes the first of them as it is: no row is copied."""

from django.db import migrations

TABLE = "billing_usageevent"
AHEAD = 3


def by_month(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        ask = lambda sql, *given: (cursor.execute(sql, given), cursor.fetchall())[1]  # noqa: E731
        if ask("SELECT relkind = 'p' FROM pg_class WHERE oid = %s::regclass", TABLE)[0][0]:
            return  # from before this migration was taken back
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        primary = ask("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'", TABLE)[0][0]
        indexes = ask(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND tablename = %s AND indexname <> %s",
            TABLE, primary,
        )
        cursor.execute(f"ALTER TABLE {TABLE} RENAME TO {TABLE}_whole")
        for number, name in enumerate([primary, *(name for name, _ in indexes)]):
            cursor.execute(f'ALTER INDEX "{name}" RENAME TO {TABLE}_whole_{number}')
        cursor.execute(
            f"CREATE TABLE {TABLE} (LIKE {TABLE}_whole INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) "
            "PARTITION BY RANGE (recorded_at)"
        )
        # The partition's key is part of every unique one. Ids are unique by themselves.
        cursor.execute(f'ALTER TABLE {TABLE} ADD CONSTRAINT "{primary}" PRIMARY KEY (id, recorded_at)')
        for _, definition in indexes:
            cursor.execute(definition)
        until, begin = ask(
            "SELECT date_trunc('month', greatest(max(recorded_at), now())) + interval '1 month', date_trunc('month', now()) "
            f"FROM {TABLE}_whole"
        )[0]
        if ask(f"SELECT EXISTS (SELECT 1 FROM {TABLE}_whole)")[0][0]:
            first = f"{TABLE}_until_{until:%Y_%m}"
            cursor.execute(f"ALTER TABLE {TABLE}_whole RENAME TO {first}")
            cursor.execute(f"ALTER TABLE {first} DROP CONSTRAINT {TABLE}_whole_0")
            cursor.execute(f"ALTER TABLE {first} ADD PRIMARY KEY (id, recorded_at)")
            cursor.execute(f"ALTER TABLE {TABLE} ATTACH PARTITION {first} FOR VALUES FROM (MINVALUE) TO (%s)", [until])
            begin = until
        else:
            cursor.execute(f"DROP TABLE {TABLE}_whole")
        cursor.execute(f"CREATE TABLE {TABLE}_default PARTITION OF {TABLE} DEFAULT")
        for start, end in ask(
            "SELECT m, m + interval '1 month' FROM generate_series(%s, %s + %s * interval '1 month', interval '1 month') m",
            begin, begin, AHEAD,
        ):
            cursor.execute(f"CREATE TABLE {TABLE}_{start:%Y_%m} PARTITION OF {TABLE} FOR VALUES FROM (%s) TO (%s)", [start, end])


class Migration(migrations.Migration):

    dependencies = [
        ("billing", "0017_usage_goes_to_the_archive"),
    ]

    operations = [
        # Backwards nothing has to be done: a table in parts is the same to the code before.
        migrations.RunPython(by_month, migrations.RunPython.noop),
    ]
