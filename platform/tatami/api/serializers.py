"""The shape of input and output, strictly: what a body may not say is refused, not ignored."""

import copy
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.db import models
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from tatami.api.references import Reference, References

__all__ = ["Archived", "Line", "Reference", "References", "StrictModelSerializer", "StrictSerializer", "Text"]

COMMON: Final = ("id", "tenant_id")
STAMPS: Final = ("created_at", "updated_at")
LONGEST_TEXT: Final = 10_000
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Line(serializers.CharField):
    """Text in one line: trimmed, NFC, without control characters. Numbers are not taken for text."""

    default_error_messages = {"control": "Control characters are not accepted."}
    refused: ClassVar[re.Pattern[str]] = _CONTROL

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        value = unicodedata.normalize("NFC", super().to_internal_value(data))
        if self.refused.search(value):
            self.fail("control")
        return value


class Text(Line):
    """Text that may have several lines; `LONGEST_TEXT` characters unless the model says otherwise."""

    refused = _CONTROL_BUT_LINES

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", LONGEST_TEXT)
        super().__init__(**kwargs)


class Archived(serializers.BooleanField):
    """Whether the row is archived. In a PATCH, `false` restores it; only DELETE archives."""

    default_error_messages = {
        "only_restores": "Only false is accepted, which restores. Send DELETE to archive."
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def get_attribute(self, instance: Any) -> bool:
        archived_at = instance["archived_at"] if isinstance(instance, Mapping) else instance.archived_at
        return archived_at is not None

    def to_internal_value(self, data: Any) -> bool:
        if data is not False or self.root.instance is None:
            self.fail("only_restores")
        return False


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown and read-only fields in a body, each at its own dotted path, nested ones too."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """Validate. A nested object is whole in a PATCH too: what it leaves out is missing, not kept."""
        if self.parent is None or data is serializers.empty or not getattr(self.root, "partial", False):
            return super().run_validation(data)
        whole = copy.deepcopy(
            self
        )  # DRF copies a field by making it anew from its arguments: without a parent
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

    def _refused(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        refused = {}
        for name in data:
            known = self.fields.get(name)
            if known is None or isinstance(known, serializers.HiddenField):
                refused[name] = ["There is no such field."]
            elif known.read_only:
                refused[name] = ["This field is read-only."]
        return refused


class StrictModelSerializer(StrictSerializer, serializers.ModelSerializer[Any]):
    """A resource: `Meta.fields` names its own fields; the common ones are added, read-only.

    `Meta.fields` that begin with `id` name all there is to see, and nothing is added.

    Foreign keys are `Reference` fields. Uniqueness is left to the constraints, whose violation the code
    translates: asking first would cost a query and still lose the race.
    """

    serializer_related_field = Reference
    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: Line,
        models.TextField: Text,
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
