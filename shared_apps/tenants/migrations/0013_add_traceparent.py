from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0012_add_own_exports'),
    ]

    operations = [
        migrations.AddField(
            model_name='pendingjob',
            name='traceparent',
            field=models.CharField(db_default='', default='', max_length=55),
        ),
    ]
