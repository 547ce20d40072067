"""Disciplines and rank systems."""

from typing import Any

from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import by_id
from tatami.api.pagination import read_positive_int
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Resource, get_or_404
from tatami.errors import Invalid
from tenant_apps.ranks import rules
from tenant_apps.ranks.models import Discipline, RankRules, RankSystem
from tenant_apps.ranks.presets import presets
from tenant_apps.ranks.serializers import (
    DisciplineSerializer,
    NewRankSystemSerializer,
    RankSystemSerializer,
    RulesVersionSerializer,
)


class DisciplineCollection(Collection):
    queryset = Discipline.objects.all()
    serializer_class = DisciplineSerializer
    detail_route = "discipline"
    ordering_fields = {"name": "name"}

    def perform_create(self, serializer: BaseSerializer[Any]) -> Discipline:
        return rules.save_named(Discipline(**serializer.validated_data))


class DisciplineResource(Resource):
    queryset = Discipline.objects.all()
    serializer_class = DisciplineSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> Discipline:
        assert isinstance(serializer.instance, Discipline)
        return rules.change_named(serializer.instance, serializer.validated_data)


class Presets(ApiView):
    """The rank systems one may start from. A starting point, not a federation's word unless confidence is O."""

    def get(self, request: Any) -> Response:
        return Response(
            [
                {
                    "key": key,
                    "name": definition.name,
                    "art": definition.art,
                    "source": definition.source,
                    "confidence": definition.confidence.value,
                }
                for key, definition in presets().items()
            ]
        )


class RankSystemCollection(Collection):
    """The rank systems. A new one is a preset by its key, or a whole definition; either with a discipline."""

    queryset = RankSystem.objects.select_related("discipline").prefetch_related("ranks")
    serializer_class = RankSystemSerializer
    detail_route = "rank-system"
    filters = {"discipline": by_id("discipline")}
    ordering_fields = {"name": "name"}
    refetch = True

    def post(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        document = dict(request.data)
        about = NewRankSystemSerializer(
            data={name: document.pop(name) for name in ("preset", "discipline") if name in document}
        )
        about.is_valid(raise_exception=True)
        key = about.validated_data.get("preset", "")
        if key and document:
            raise Invalid(details={name: ["A preset brings its own."] for name in document})
        system = rules.create_rank_system(
            definition=rules.read_preset(key) if key else rules.read_definition(document),
            discipline=about.validated_data.get("discipline"),
            preset_key=key,
        )
        return created(self.represent(system), self.detail_route, id=system.pk)


class RankSystemResource(Resource):
    queryset = RankSystem.objects.select_related("discipline").prefetch_related("ranks")
    serializer_class = RankSystemSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> RankSystem:
        assert isinstance(serializer.instance, RankSystem)
        return rules.change_named(serializer.instance, serializer.validated_data)


class Rules(ApiView):
    """The rules of a rank system: one document, edited as a whole; each change is a new version.

    `version` stands in the answer; sent back, it refuses to overwrite a version one has not seen (409).
    """

    def get(self, request: Any, id: Any) -> Response:
        system = get_or_404(RankSystem.objects.all(), pk=id)
        versions = RankRules.objects.filter(system=system)
        if "version" in request.query_params:
            versions = versions.filter(version=read_positive_int(request, "version", 1))
        return Response(_shown(get_or_404(versions.order_by("-version"))))

    def put(self, request: Any, id: Any) -> Response:
        system = get_or_404(RankSystem.objects.live(), pk=id)
        document = dict(request.data)
        seen = RulesVersionSerializer(data={"version": document.pop("version", None)})
        seen.is_valid(raise_exception=True)
        definition = rules.read_definition(document)
        return Response(
            _shown(rules.replace_rules(system=system, definition=definition, **seen.validated_data))
        )


def _shown(row: RankRules) -> dict[str, Any]:
    return {"version": row.version, **row.document}
