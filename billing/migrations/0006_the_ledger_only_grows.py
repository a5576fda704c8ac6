from django.db import migrations

TABLES = ("billing_transaction", "billing_entry")
SQLITE = """
CREATE TRIGGER {table}_{deed}_refused BEFORE {deed} ON {table}
BEGIN SELECT RAISE(ABORT, 'the ledger only grows: post a correction'); END
"""
POSTGRESQL = """
CREATE OR REPLACE FUNCTION billing_ledger_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger only grows: post a correction'; END $$
"""


def guard(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(POSTGRESQL)
        for table in TABLES:
            schema_editor.execute(
                f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION billing_ledger_only_grows()"
            )
        return
    for table in TABLES:
        for deed in ("UPDATE", "DELETE"):
            schema_editor.execute(SQLITE.format(table=table, deed=deed))


def unguard(apps, schema_editor):
    for table in TABLES:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_only_grows ON {table}")
            continue
        for deed in ("UPDATE", "DELETE"):
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {table}_{deed}_refused")


class Migration(migrations.Migration):

    dependencies = [("billing", "0005_credit_in_lots")]

    operations = [migrations.RunPython(guard, unguard)]
