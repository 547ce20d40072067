from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0014_add_backlog'),
    ]

    operations = [
        # The code no longer fills it, and the next migration removes it.
        migrations.AlterField(
            model_name='tenant',
            name='cluster',
            field=models.CharField(db_default='main', default='main', max_length=40),
        ),
    ]
