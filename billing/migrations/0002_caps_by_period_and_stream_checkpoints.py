from datetime import UTC, datetime

import django.db.models.deletion
from django.db import migrations, models

STATUSES = [('succeeded', 'succeeded'), ('failed', 'failed'), ('canceled', 'canceled'), ('interrupted', 'interrupted')]


def carry_over(apps, schema_editor):
    old, new = apps.get_model('billing', 'Cap'), apps.get_model('billing', 'PeriodCap')
    for cap in old.objects.all():
        new.objects.create(
            key_id=cap.key_id, period='total', limit_nanos=cap.limit_nanos, used_nanos=cap.used_nanos,
            period_start=datetime(2000, 1, 1, tzinfo=UTC),
        )


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_key_limits'),
        ('billing', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='PeriodCap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('period', models.CharField(choices=[('day', 'a day'), ('week', 'a week'), ('month', 'a month'), ('total', 'in all')], default='total', max_length=5, verbose_name='period')),
                ('limit_nanos', models.BigIntegerField(verbose_name='cap')),
                ('used_nanos', models.BigIntegerField(default=0, verbose_name='used or lent')),
                ('period_start', models.DateTimeField(verbose_name='since')),
                ('key', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='caps', to='accounts.key')),
            ],
            options={'verbose_name': 'spending cap', 'verbose_name_plural': 'spending caps'},
        ),
        migrations.RunPython(carry_over, migrations.RunPython.noop, elidable=True),
        migrations.DeleteModel(name='Cap'),
        migrations.RenameModel(old_name='PeriodCap', new_name='Cap'),
        migrations.AddConstraint(
            model_name='cap',
            constraint=models.UniqueConstraint(fields=('key', 'period'), name='one_cap_a_period'),
        ),
        migrations.AddConstraint(
            model_name='cap',
            constraint=models.CheckConstraint(condition=models.Q(('used_nanos__gte', 0), ('used_nanos__lte', models.F('limit_nanos'))), name='a_cap_is_not_passed'),
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('request_id', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('lease_id', models.CharField(blank=True, db_index=True, max_length=40)),
                ('usage', models.JSONField()),
                ('saved_at', models.DateTimeField()),
            ],
            options={'verbose_name': 'stream checkpoint', 'verbose_name_plural': 'stream checkpoints'},
        ),
        migrations.AddField(model_name='usageevent', name='first_ms', field=models.PositiveIntegerField(null=True, verbose_name='time to the first token')),
        migrations.AddField(model_name='usageevent', name='operation_id', field=models.CharField(blank=True, default='', max_length=64, verbose_name='operation'), preserve_default=False),
        migrations.AddField(model_name='usageevent', name='status', field=models.CharField(choices=STATUSES, default='succeeded', max_length=12, verbose_name='status')),
        migrations.AddIndex(
            model_name='usageevent',
            index=models.Index(condition=models.Q(('operation_id', ''), _negated=True), fields=['operation_id'], name='usage_of_an_operation'),
        ),
    ]
