import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0004_add_tenant_migration'),
    ]

    operations = [
        migrations.CreateModel(
            name='TenantUsage',
            fields=[
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='usage', serialize=False, to='tenants.tenant')),
                ('students_active', models.PositiveIntegerField(null=True)),
                ('students_all', models.PositiveIntegerField(null=True)),
                ('attendances_30_days', models.PositiveIntegerField(null=True)),
                ('attendances_all', models.PositiveBigIntegerField(null=True)),
                ('last_attendance_at', models.DateTimeField(null=True)),
                ('users', models.PositiveIntegerField(null=True)),
                ('bytes', models.PositiveBigIntegerField(help_text='In the database: tables and indexes.', null=True)),
                ('file_bytes', models.PositiveBigIntegerField(help_text='In storage: the exports that are kept.', null=True)),
                ('collected_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'tenant usage',
            },
        ),
    ]
