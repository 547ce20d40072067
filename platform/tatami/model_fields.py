"""Model fields whose value is computed in Python at every save and bulk insert."""

from datetime import datetime
from typing import Any

from django.db import models

from tatami import clock
from tatami.text import normalise


class ChangedAtField(models.DateTimeField):  # type: ignore[type-arg]
    """The time of the last save, from `tatami.clock`, so that tests can set it."""

    def pre_save(self, model_instance: models.Model, add: bool) -> datetime:
        now = clock.now()
        setattr(model_instance, self.attname, now)
        return now


class SearchField(models.TextField):  # type: ignore[type-arg]
    """The normalised text of other columns, with which `?search=` compares: without accents and in one case."""

    def __init__(self, *sources: str, **kwargs: Any) -> None:
        self.sources = sources
        super().__init__(**{"editable": False, "default": "", **kwargs})

    def deconstruct(self) -> Any:
        name, path, _, kwargs = super().deconstruct()
        return name, path, list(self.sources), kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        text = normalise(" ".join(str(getattr(model_instance, source)) for source in self.sources))
        setattr(model_instance, self.attname, text)
        return text
