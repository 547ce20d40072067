from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ranks', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='rank',
            name='track',
            field=models.CharField(blank=True, db_default='', default='', max_length=40),
        ),
    ]
