from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0005_add_usage'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='domain',
            name='domain_once',
        ),
        migrations.AddConstraint(
            model_name='domain',
            constraint=models.UniqueConstraint(condition=models.Q(('verified_at__isnull', False)), fields=('domain',), name='domain_once'),
        ),
        migrations.AddConstraint(
            model_name='domain',
            constraint=models.UniqueConstraint(fields=('tenant', 'domain'), name='domain_claimed_once'),
        ),
        migrations.AddConstraint(
            model_name='domain',
            constraint=models.CheckConstraint(condition=models.Q(('is_primary', False), ('verified_at__isnull', False), _connector='OR'), name='domain_primary_verified'),
        ),
    ]
