"""What makes a session known when it is moved, who teaches it, why it is cancelled; and calendar feeds.

Sessions made before have no slot: a change of their class leaves them as they are, and makes no second one beside them.
"""

import django.contrib.postgres.fields
import django.db.models.deletion
import tatami.clock
import tatami.ids
import tatami.model_fields
import tatami.tenancy.models
import tatami.tenancy.scope
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classes', '0001_initial'),
        ('ranks', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='CalendarFeed',
            fields=[
                ('id', models.UUIDField(default=tatami.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('tenant_id', models.UUIDField(default=tatami.tenancy.scope.current_tenant_id, editable=False)),
                ('created_at', models.DateTimeField(default=tatami.clock.now, editable=False)),
                ('updated_at', tatami.model_fields.ChangedAtField(default=tatami.clock.now, editable=False)),
                ('token_hash', models.BinaryField(max_length=32)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='classsession',
            name='class_session_once',
        ),
        migrations.AddField(
            model_name='classsession',
            name='cancel_reason',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='classsession',
            name='cancelled_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='classsession',
            name='cancelled_by',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='classsession',
            name='instructor_ids',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
        ),
        migrations.AddField(
            model_name='classsession',
            name='set_by_hand',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), default=list, size=None),
        ),
        migrations.AddField(
            model_name='classsession',
            name='slot_date',
            field=models.DateField(null=True),
        ),
        migrations.AddField(
            model_name='classsession',
            name='slot_time',
            field=models.TimeField(null=True),
        ),
        migrations.AddField(
            model_name='trainingclass',
            name='materialised_zone',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddConstraint(
            model_name='classsession',
            constraint=models.UniqueConstraint(fields=('training_class', 'slot_date', 'slot_time'), name='class_session_slot_once'),
        ),
        migrations.AddField(
            model_name='calendarfeed',
            name='user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='calendarfeed',
            constraint=models.UniqueConstraint(fields=('user',), name='calendar_feed_one_each'),
        ),
        migrations.AddConstraint(
            model_name='calendarfeed',
            constraint=models.UniqueConstraint(fields=('token_hash',), name='calendar_feed_token_once'),
        ),
    ]
