from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_add_search_name'),
    ]

    operations = [
        migrations.AddField(
            model_name='session',
            name='impersonator',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='impersonator',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='auditentry',
            name='impersonator_name',
            field=models.CharField(blank=True, db_default='', max_length=200),
        ),
    ]
