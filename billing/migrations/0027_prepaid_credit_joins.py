"""A lease may be paid from several fundings together, and so may what was used of it."""

from django.db import migrations, models
from django.db.models import F, Q


def split(apps, schema_editor):
    leases = apps.get_model("billing", "Lease").objects
    leases.filter(funding="promo").update(promo_nanos=F("granted_nanos"))
    leases.filter(funding="credit").update(credit_nanos=F("granted_nanos"))


def name_the_first(apps, schema_editor):
    leases = apps.get_model("billing", "Lease").objects
    leases.update(funding="receivable")
    leases.filter(credit_nanos__gt=0).update(funding="credit")
    leases.filter(promo_nanos__gt=0).update(funding="promo")


class Migration(migrations.Migration):

    dependencies = [
        ("billing", "0026_stripes_balance_is_compared"),
    ]

    operations = [
        migrations.AddField(
            model_name="usageevent",
            name="rest_nanos",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="rest from credit"),
        ),
        migrations.AddField(
            model_name="usageevent",
            name="owed_nanos",
            field=models.BigIntegerField(db_default=0, default=0, verbose_name="rest on the invoice"),
        ),
        migrations.AddField(
            model_name="lease",
            name="promo_nanos",
            field=models.BigIntegerField(default=0, verbose_name="promotional credit"),
        ),
        migrations.AddField(
            model_name="lease",
            name="credit_nanos",
            field=models.BigIntegerField(default=0, verbose_name="credit"),
        ),
        # A default, for the way back.
        migrations.AlterField(
            model_name="lease",
            name="funding",
            field=models.CharField(max_length=12, default="credit"),
        ),
        migrations.RunPython(split, name_the_first),
        migrations.RemoveField(model_name="lease", name="funding"),
        migrations.AddConstraint(
            model_name="lease",
            constraint=models.CheckConstraint(
                condition=Q(promo_nanos__gte=0, credit_nanos__gte=0, granted_nanos__gte=F("promo_nanos") + F("credit_nanos")),
                name="a_lease_is_the_sum_of_its_parts",
            ),
        ),
    ]
