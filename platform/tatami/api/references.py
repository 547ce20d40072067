"""References to other resources: an id in a body, `{id, name}` in an answer."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db.models import QuerySet
from rest_framework.relations import ManyRelatedField, RelatedField
from rest_framework.request import Request
from rest_framework.serializers import ValidationError

from tatami.api.filters import read_uuid

Choice: TypeAlias = QuerySet[Any] | Callable[[Request], QuerySet[Any]]
MAX_REFERENCES: Final = 500
UNKNOWN: Final = "There is nothing with this id."
_OF_THE_LIST: Final = ("required", "allow_empty", "source", "default", "most")


class Reference(RelatedField[Any, Any, Any]):
    """One referenced row. `queryset` (or a function of the request) says which ones the caller may name.

    What is not among them does not exist for him: `validation_error` at the field's path, never 404. Reading
    needs the row's name, so a view that lists lets its queryset `select_related` every reference.
    `many=True` reads all ids with one query; `most` says how many it takes.
    """

    default_error_messages = {"unknown": UNKNOWN, "not_an_id": "This is not an id."}

    def __init__(self, *, name: str = "name", **kwargs: Any) -> None:
        self.name = name
        chosen = kwargs.get("queryset")
        self.choose = chosen if callable(chosen) and not hasattr(chosen, "all") else None
        super().__init__(**kwargs)

    def rows(self) -> QuerySet[Any]:
        """Return the rows that the caller may name."""
        if self.choose is not None:
            chosen: QuerySet[Any] = self.choose(self.context["request"])
            return chosen
        queryset: QuerySet[Any] | None = self.get_queryset()
        if queryset is None:
            raise TypeError("a read-only reference reads no body")
        return queryset

    def read(self, data: object) -> UUID:
        """Return the id in a body. Raises `ValidationError`."""
        try:
            return read_uuid(data) if isinstance(data, str) else self.fail("not_an_id")
        except ValueError:
            self.fail("not_an_id")

    def to_internal_value(self, data: object) -> Any:
        found = self.rows().filter(pk=self.read(data)).first()
        if found is None:
            self.fail("unknown")
        return found

    def to_representation(self, value: Any) -> dict[str, Any]:
        return {"id": value.pk, "name": getattr(value, self.name)}

    @classmethod
    def many_init(cls, *args: Any, **kwargs: Any) -> "References":
        own: dict[str, Any] = {option: kwargs.pop(option) for option in _OF_THE_LIST if option in kwargs}
        if kwargs.get("read_only"):
            own["read_only"] = True
        return References(child_relation=cls(*args, **kwargs), **own)


def faults_of_names(
    entries: Sequence[Mapping[str, Any]], field: str, known: Collection[UUID], *, twice: str
) -> list[dict[str, Any]]:
    """Return for each entry what is wrong with the id in `field`: there is none such, or it was named before."""
    seen: set[UUID] = set()
    faults: list[dict[str, Any]] = []
    for entry in entries:
        fault = UNKNOWN if entry[field] not in known else twice if entry[field] in seen else None
        faults.append({field: [fault]} if fault else {})
        seen.add(entry[field])
    return faults


class References(ManyRelatedField):
    """Several references, each named once, all read with one query."""

    child_relation: Reference

    def __init__(self, *, most: int = MAX_REFERENCES, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def to_internal_value(self, data: object) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if not self.allow_empty and not data:
            self.fail("empty")
        if len(data) > self.most:
            raise ValidationError(f"At most {self.most} references are accepted.")
        ids = self._ids(data)
        found = self.child_relation.rows().in_bulk(set(ids))
        unknown = {str(place): [UNKNOWN] for place, id_ in enumerate(ids) if id_ not in found}
        if unknown:
            raise ValidationError(unknown)
        return [found[id_] for id_ in dict.fromkeys(ids)]

    def _ids(self, data: Sequence[object]) -> list[UUID]:
        ids: list[UUID] = []
        problems: dict[str, Any] = {}
        for place, item in enumerate(data):
            try:
                ids.append(self.child_relation.read(item))
            except ValidationError as error:
                problems[str(place)] = error.detail
        if problems:
            raise ValidationError(problems)
        return ids
