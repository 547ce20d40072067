import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0003_add_pending_job'),
    ]

    operations = [
        migrations.CreateModel(
            name='TenantMigration',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='migration', serialize=False, to='tenants.tenant')),
                ('target', models.TextField(help_text='The version it is, or was last, on its way to.')),
                ('state', models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], max_length=8)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('error', models.TextField(default='', help_text='Why it could not be brought there.')),
                ('started_at', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'running', 'done', 'failed'])), name='tenant_migration_state_known')],
            },
        ),
    ]
