from django.db import migrations


class Migration(migrations.Migration):

    contracts = True

    dependencies = [
        ('tenants', '0015_free_cluster'),
    ]

    operations = [
        migrations.RemoveField(model_name='tenant', name='cluster'),
    ]
