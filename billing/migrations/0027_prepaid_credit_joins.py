"""A lease may be paid from promotional and bought credit together, and so may what was used of it."""

from django.db import migrations, models
from django.db.models import F, Q


def join(apps, schema_editor):
    leases = apps.get_model("billing", "Lease").objects
    leases.filter(means="promo").update(promo_nanos=F("granted_nanos"))
    leases.filter(means__in=("promo", "credit")).update(means="prepaid")
    leases.filter(means="receivable").update(means="postpaid")


def part(apps, schema_editor):
    leases = apps.get_model("billing", "Lease").objects
    leases.filter(means="postpaid").update(means="receivable")
    leases.filter(means="prepaid", promo_nanos__gt=0).update(means="promo")
    leases.filter(means="prepaid").update(means="credit")


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
        migrations.RenameField(model_name="lease", old_name="funding", new_name="means"),
        migrations.AddField(
            model_name="lease",
            name="promo_nanos",
            field=models.BigIntegerField(default=0, verbose_name="promotional credit"),
        ),
        migrations.RunPython(join, part),
        migrations.AlterField(
            model_name="lease",
            name="means",
            field=models.CharField(
                choices=[("prepaid", "prepaid credit"), ("postpaid", "the next invoice")], max_length=12, verbose_name="paid from"
            ),
        ),
        migrations.AddConstraint(
            model_name="lease",
            constraint=models.CheckConstraint(
                condition=Q(promo_nanos=0) | Q(means="prepaid", promo_nanos__gt=0, promo_nanos__lte=F("granted_nanos")),
                name="promotional_credit_is_prepaid",
            ),
        ),
    ]
