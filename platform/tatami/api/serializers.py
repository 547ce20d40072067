"""Serializers that refuse unknown fields, read-only fields and values of another JSON type in a request body."""

import copy
from collections.abc import Mapping
from typing import Any, Final

from django.db import models
from django.utils.translation import gettext
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from tatami.api.fields import MultiLineField, ReferenceField, SingleLineField
from tatami.api.json_types import type_error
from tatami.errors import MAX_FAULTS, UNKNOWN_FIELD

COMMON: Final = ("id", "tenant_id")
STAMPS: Final = ("created_at", "updated_at")


class ReferenceSerializer(serializers.Serializer[Any]):
    """Another resource, by its id and its display name."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class TypedSerializer(serializers.Serializer[Any]):
    """Refuses values of another JSON type than that of their field, each at its own dotted path, nested ones too."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate. A PATCH replaces a nested object as a whole: fields that it leaves out are missing, not kept."""
        if self.parent is None or data is serializers.empty or not getattr(self.root, "partial", False):
            return super().run_validation(data)
        # DRF copies a field by creating it again from its arguments, so the copy has no parent.
        whole = copy.deepcopy(self)
        whole._context = self.context
        return whole.run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        refused = self._refused(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if refused and isinstance(error.detail, dict):
                raise serializers.ValidationError({**refused, **error.detail}) from error
            raise
        if refused:
            raise serializers.ValidationError(refused)
        return value

    def _refused(self, data: Mapping[str, Any]) -> dict[str, Any]:
        refused: dict[str, Any] = {}
        for name, value in data.items():
            if len(refused) >= MAX_FAULTS:
                break
            error = self.field_error(name, value)
            if error is not None:
                refused[name] = error
        return refused

    def field_error(self, name: str, value: Any) -> Any:
        """Return the error of a member of the body that no field may read, or `None`."""
        known = self.fields.get(name)
        return None if known is None or known.read_only else type_error(known, value)


class StrictSerializer(TypedSerializer):
    """Refuses unknown and read-only fields in a body, too."""

    def field_error(self, name: str, value: Any) -> Any:
        known = self.fields.get(name)
        if known is None or isinstance(known, serializers.HiddenField):
            return [gettext(UNKNOWN_FIELD)]
        return [gettext("This field is read-only.")] if known.read_only else super().field_error(name, value)


class StrictModelSerializer(StrictSerializer, serializers.ModelSerializer[Any]):
    """A resource. `Meta.fields` lists its own fields; `id`, `tenant_id` and the time stamps are added, read-only.

    If `Meta.fields` begins with `id`, the list is complete and no field is added.

    Foreign keys are `ReferenceField`s. Uniqueness is checked by the database constraints, and the exception becomes a
    409: a query before the INSERT would cost time and could not prevent a race.
    """

    serializer_related_field = ReferenceField
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: SingleLineField,
        models.TextField: MultiLineField,
    }

    def get_field_names(self, declared_fields: Mapping[str, Any], info: Any) -> list[str]:
        own = list(super().get_field_names(declared_fields, info))
        if own[:1] == ["id"]:
            return own
        has = {field.name for field in self.Meta.model._meta.concrete_fields}  # type: ignore[attr-defined]
        before, after = (
            [name for name in names if name in has and name not in own] for names in (COMMON, STAMPS)
        )
        return [*before, *own, *after]

    def get_extra_kwargs(self) -> dict[str, Any]:
        extra = super().get_extra_kwargs()
        for name in (*COMMON, *STAMPS):
            extra[name] = {**extra.get(name, {}), "read_only": True}
        return extra

    def get_uniqueness_extra_kwargs(
        self, field_names: Any, declared_fields: Any, extra_kwargs: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        return extra_kwargs, {}

    def build_standard_field(self, field_name: str, model_field: Any) -> Any:
        field_class, kwargs = super().build_standard_field(field_name, model_field)
        if "validators" in kwargs:
            kwargs["validators"] = [
                one for one in kwargs["validators"] if not isinstance(one, UniqueValidator)
            ]
        return field_class, kwargs

    def get_validators(self) -> list[Any]:
        return list(getattr(self.Meta, "validators", None) or [])
