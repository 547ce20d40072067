"""Batches: checks and awards of many students."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet
from rest_framework.response import Response

from tatami.api.filters import one_of, yes_or_no
from tatami.api.responses import accepted
from tatami.api.views import ApiView, Detail, Listing, get_or_404
from tatami.clock import tenant_date
from tenant_apps.promotions import batches, openapi
from tenant_apps.promotions.models import Batch, BatchItem, Decision, count_items
from tenant_apps.promotions.serializers.batches import (
    BatchItemSerializer,
    BatchSerializer,
    NewBatchSerializer,
)
from tenant_apps.promotions.student_filters import filter_students
from tenant_apps.students.models import Status
from tenant_apps.students.serializers import RevertSerializer

_BATCHES = Batch.objects.select_related("rank_system", "requested_by")


class ItemCountsMixin:
    """Adds the numbers of their items to batches: one statement for all."""

    def annotate_page(self, rows: Sequence[Batch]) -> None:
        count_items(rows)


class Batches(ItemCountsMixin, Listing):
    """The batches, the latest first. Workers process a new batch: read it again to see its progress."""

    queryset = _BATCHES
    serializer_class = BatchSerializer
    operations = openapi.BATCHES
    filters = {"award": yes_or_no("award")}

    def post(self, request: Any) -> Response:
        serializer = NewBatchSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        as_of = asked.get("as_of", tenant_date(request.now))
        if "students" in asked:
            students = [one.pk for one in asked["students"] if one.status != Status.TRIAL]
        else:
            students = list(filter_students(asked["filter"], on=as_of).values_list("pk", flat=True))
        batch = batches.create_batch(
            students=students,
            award=asked["award"],
            as_of=as_of,
            rank_system=asked.get("rank_system"),
            target_ranks=asked.get("target_ranks", ()),
            by=request.user,
        )
        return accepted(_batch_data(batch), "promotion-batch", id=batch.pk)


class BatchResource(ItemCountsMixin, Detail):
    """The progress of a batch."""

    queryset = _BATCHES
    serializer_class = BatchSerializer
    operations = openapi.BATCH


class BatchResults(Listing):
    """The outcome for each student of a batch."""

    queryset = BatchItem.objects.select_related("student").prefetch_related(
        Prefetch("decisions", Decision.objects.select_related("event__rank"))
    )
    serializer_class = BatchItemSerializer
    operations = openapi.BATCH_RESULTS
    filters = {"state": one_of("state", BatchItem.State)}

    def get_queryset(self) -> QuerySet[BatchItem]:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(batch=get_or_404(Batch.objects.all(), pk=self.kwargs["id"]))


class CancelBatch(ApiView):
    """Cancel the items that are not processed yet. Ranks that were awarded stand."""

    operations = openapi.CANCEL_BATCH

    def post(self, request: Any, id: Any) -> Response:
        batch = get_or_404(Batch.objects.all(), pk=id)
        batches.cancel(batch=batch, now=request.now)
        return Response(_batch_data(batch))


class RevertBatch(ApiView):
    """Void all ranks that a batch awarded, with a reason. `cascade` or `keep_later` decides about later ranks."""

    serializer_class = RevertSerializer
    operations = openapi.REVERT_BATCH

    def post(self, request: Any, id: Any) -> Response:
        serializer = RevertSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        batch = get_or_404(Batch.objects.all(), pk=id)
        batches.revert(batch=batch, by=request.user, now=request.now, **serializer.validated_data)
        return Response(_batch_data(batch))


def _batch_data(batch: Batch) -> dict[str, Any]:
    """Return a batch as it is now in the database."""
    current = _BATCHES.get(pk=batch.pk)
    count_items([current])
    return dict(BatchSerializer(current).data)
