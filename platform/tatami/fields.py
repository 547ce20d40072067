"""Columns that keep themselves: made in Python, at every save and bulk insert."""

from datetime import datetime
from typing import Any

from django.db import models

from tatami import clock
from tatami.text import normalise


class ChangedAtField(models.DateTimeField):  # type: ignore[type-arg]
    """The moment of the last save, taken from our clock so that a test can set it."""

    def pre_save(self, model_instance: models.Model, add: bool) -> datetime:
        moment = clock.now()
        setattr(model_instance, self.attname, moment)
        return moment


class SearchField(models.TextField):  # type: ignore[type-arg]
    """What `?search=` compares with: the texts of other columns, without regard to accents and case."""

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
