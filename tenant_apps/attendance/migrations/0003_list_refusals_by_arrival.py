from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('attendance', '0002_add_devices'),
        ('classes', '0003_add_search_name'),
        ('students', '0003_add_eligibility_snapshots_and_what_awards_follow'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='refusal',
            options={'ordering': ('-created_at', '-id')},
        ),
        migrations.AddIndex(
            model_name='refusal',
            index=models.Index(fields=['-created_at', '-id'], name='refusal_by_arrival'),
        ),
    ]
