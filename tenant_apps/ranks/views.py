"""Disciplines and rank systems."""

from typing import Any

from django.utils.translation import gettext
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from tatami.api.filters import by_id, read_parameter, read_whole_number
from tatami.api.responses import created
from tatami.api.views import ApiView, Collection, Resource, get_or_404
from tatami.errors import Invalid
from tenant_apps.ranks import openapi, services
from tenant_apps.ranks.models import Discipline, RankRules, RankSystem
from tenant_apps.ranks.presets import presets
from tenant_apps.ranks.serializers import (
    DisciplineSerializer,
    NewRankSystemSerializer,
    PresetSerializer,
    RankSystemSerializer,
    RulesVersionSerializer,
)


class DisciplineCollection(Collection):
    """The martial arts that the dojo teaches."""

    operations = openapi.DISCIPLINES
    queryset = Discipline.objects.all()
    serializer_class = DisciplineSerializer
    detail_route = "discipline"
    ordering_fields = {"name": "name"}

    def perform_create(self, serializer: BaseSerializer[Any]) -> Discipline:
        return services.save_named(Discipline(**serializer.validated_data))


class DisciplineResource(Resource):
    """One discipline. DELETE archives it."""

    operations = openapi.DISCIPLINE
    queryset = Discipline.objects.all()
    serializer_class = DisciplineSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> Discipline:
        assert isinstance(serializer.instance, Discipline)
        return services.change_named(serializer.instance, serializer.validated_data)


class Presets(ApiView):
    """The rank systems that a dojo can start from. Only those with confidence O are official."""

    operations = openapi.PRESETS

    def get(self, request: Any) -> Response:
        found = [{"key": key, "definition": definition} for key, definition in presets().items()]
        return Response(PresetSerializer(found, many=True).data)


class RankSystemCollection(Collection):
    """The rank systems.

    Create one from the key of a preset or from a whole definition, with a discipline if you like.
    """

    operations = openapi.RANK_SYSTEMS
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
            raise Invalid(details={name: [gettext("This is part of the preset.")] for name in document})
        system = services.create_rank_system(
            definition=services.read_preset(key) if key else services.read_definition(document),
            discipline=about.validated_data.get("discipline"),
            preset_key=key,
        )
        return created(self.represent(system), self.detail_route, id=system.pk)


class RankSystemResource(Resource):
    """One rank system with its ranks. PATCH renames it; DELETE archives it. Its rules have their own route."""

    operations = openapi.RANK_SYSTEM
    queryset = RankSystem.objects.select_related("discipline").prefetch_related("ranks")
    serializer_class = RankSystemSerializer

    def perform_update(self, serializer: BaseSerializer[Any]) -> RankSystem:
        assert isinstance(serializer.instance, RankSystem)
        return services.change_named(serializer.instance, serializer.validated_data)


class Rules(ApiView):
    """The rules of a rank system: one document, edited as a whole. Each change creates a new version.

    The response contains `version`. Send it back with a change to get a 409 instead of overwriting a newer version.
    """

    operations = openapi.RULES

    def get(self, request: Any, id: Any) -> Response:
        system = get_or_404(RankSystem.objects.all(), pk=id)
        versions = RankRules.objects.filter(system=system)
        version = read_parameter(request.query_params, "version", read_whole_number(1), default=None)
        if version is not None:
            versions = versions.filter(version=version)
        return Response(rules_response(get_or_404(versions.order_by("-version"))))

    def put(self, request: Any, id: Any) -> Response:
        system = get_or_404(RankSystem.objects.not_archived(), pk=id)
        document = dict(request.data)
        read = RulesVersionSerializer(data={"version": document.pop("version", None)})
        read.is_valid(raise_exception=True)
        definition = services.read_definition(document)
        rules = services.replace_rules(system=system, definition=definition, **read.validated_data)
        return Response(rules_response(rules))


def rules_response(row: RankRules) -> dict[str, Any]:
    """Return a version of rules as the API shows it: the definition with its `version`."""
    return {"version": row.version, **row.document}
