from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ranks', '0002_add_track'),
    ]

    operations = [
        migrations.AddField(
            model_name='rankrules',
            name='effective_on',
            field=models.DateField(null=True),
        ),
    ]
