"""Batches: checks and awards for many."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch
from rest_framework.response import Response

from tatami.api.filters import one_of, yes_or_no
from tatami.api.responses import accepted
from tatami.api.views import ApiView, Detail, Listing, get_or_404
from tenant_apps.dojo.dates import dojo_today
from tenant_apps.promotions import batches
from tenant_apps.promotions.choosing import chosen
from tenant_apps.promotions.models import Batch, BatchItem, Decision, count_items
from tenant_apps.promotions.serializers import (
    BatchItemSerializer,
    BatchSerializer,
    NewBatchSerializer,
    ReasonSerializer,
)
from tenant_apps.students.models import Status

_BATCHES = Batch.objects.select_related("rank_system", "requested_by")


class WithCounts:
    """Shows batches with the numbers of their items: one statement for all."""

    def annotate_page(self, rows: Sequence[Batch]) -> None:
        count_items(rows)


class Batches(WithCounts, Listing):
    """The batches, the latest first. A new one is done by workers: look at it to see how far it is."""

    queryset = _BATCHES
    serializer_class = BatchSerializer
    filters = {"award": yes_or_no("award")}

    def post(self, request: Any) -> Response:
        serializer = NewBatchSerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        as_of = asked.get("as_of", dojo_today(request.now))
        if "students" in asked:
            students = [one.pk for one in asked["students"] if one.status != Status.TRIAL]
        else:
            students = list(chosen(asked["filter"], on=as_of).values_list("pk", flat=True))
        batch = batches.create_batch(
            students=students,
            award=asked["award"],
            as_of=as_of,
            rank_system=asked.get("rank_system"),
            target_ranks=asked.get("target_ranks", ()),
            by=request.user,
        )
        return accepted(_shown(batch), "promotion-batch", id=batch.pk)


class BatchResource(WithCounts, Detail):
    """How far a batch is."""

    queryset = _BATCHES
    serializer_class = BatchSerializer


class Results(Listing):
    """What became of each student of a batch."""

    queryset = BatchItem.objects.select_related("student").prefetch_related(
        Prefetch("decisions", Decision.objects.select_related("event__rank"))
    )
    serializer_class = BatchItemSerializer
    filters = {"state": one_of("state", BatchItem.State)}

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        if getattr(self, "swagger_fake_view", False):
            return rows
        return rows.filter(batch=get_or_404(Batch.objects.all(), pk=self.kwargs["id"]))


class CancelBatch(ApiView):
    """Leave undone what is not done yet. What was awarded stands."""

    def post(self, request: Any, id: Any) -> Response:
        batch = get_or_404(Batch.objects.all(), pk=id)
        batches.cancel(batch=batch, now=request.now)
        return Response(_shown(batch))


class RevertBatch(ApiView):
    """Void all that a batch awarded, with a reason."""

    serializer_class = ReasonSerializer

    def post(self, request: Any, id: Any) -> Response:
        serializer = ReasonSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        batch = get_or_404(Batch.objects.all(), pk=id)
        batches.revert(batch=batch, by=request.user, now=request.now, **serializer.validated_data)
        return Response(_shown(batch))


def _shown(batch: Batch) -> dict[str, Any]:
    fresh = _BATCHES.get(pk=batch.pk)
    count_items([fresh])
    return dict(BatchSerializer(fresh).data)
