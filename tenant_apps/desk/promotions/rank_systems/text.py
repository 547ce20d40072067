"""Rules as JSON text: a new rank system, or the next version of one. Each fault is named with its place."""

import json
from collections.abc import Mapping
from typing import Any

import orjson
from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page
from tenant_apps.desk.promotions.choices import discipline_choices, offer
from tenant_apps.desk.promotions.rank_systems.forms import MOST_SENT
from tenant_apps.ranks.definition import accepted_definition

Document = Mapping[str, Any]


class TextForm(ApiForm):
    """A document as text."""

    text = forms.CharField(
        label=gettext_lazy("Rules"),
        widget=forms.Textarea(
            {"rows": 28, "spellcheck": "false", "autocomplete": "off", "class": "code", "wrap": "off"}
        ),
    )
    version = forms.IntegerField(required=False, min_value=1, max_value=MOST_SENT, widget=forms.HiddenInput)
    discipline = forms.ChoiceField(label=gettext_lazy("Discipline"), required=False)

    def __init__(self, data: Any = None, *, disciplines: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        if disciplines is None:
            del self.fields["discipline"]
        else:
            offer(self, discipline=disciplines)

    def clean_text(self) -> dict[str, Any]:
        """Return the document. A fault of the notation is named by its line and column."""
        try:
            document = orjson.loads(self.cleaned_data["text"])
            orjson.dumps(document)  # it can be read more deeply nested than it can be sent
        except orjson.JSONDecodeError as fault:
            message = gettext("This is not JSON. See line {line}, column {column}.")
            raise forms.ValidationError(message.format(line=fault.lineno, column=fault.colno)) from None
        except orjson.JSONEncodeError:
            raise forms.ValidationError(gettext("This is nested too deeply.")) from None
        if not isinstance(document, dict):
            raise forms.ValidationError(gettext("A document begins and ends with a curly bracket."))
        return document


def written(document: Document) -> str:
    """Return a document as text, as people write it."""
    return json.dumps(document, ensure_ascii=False, indent=2)


def in_order(rules: Document) -> Document:
    """Return the document of saved rules with its fields in the order of the documentation, without the version."""
    return accepted_definition(rules).as_document()


def places(refused: Refused, document: Document) -> list[tuple[str, str, list[str]]]:
    """Return the faults that the API names: the place as a path, the same in words, and the messages."""
    return [(place, in_words(place, document), messages) for place, messages in refused.fields.items()]


def in_words(place: str, document: Any) -> str:
    """Return where in a document a dotted path leads: "the step from white to yellow, regular, 2nd criterion"."""
    words: list[str] = []
    parts = place.split(".")
    at = document
    for number, part in enumerate(parts):
        try:
            at = at[int(part)] if isinstance(at, list) else at[part]
        except (KeyError, IndexError, TypeError, ValueError):
            break
        kind = parts[number - 1] if number else ""
        if not isinstance(at, dict) or not part.isdigit():
            continue
        if kind == "ranks":
            words.append(gettext("rank {name}").format(name=at.get("name") or at.get("code") or part))
        elif kind == "steps":
            origin = at.get("from") or gettext("no rank")
            words.append(gettext("step from {origin} to {target}").format(origin=origin, target=at.get("to")))
        elif kind == "paths":
            words.append(gettext("path {name}").format(name=at.get("name") or part))
        elif kind == "criteria":
            words.append(gettext("criterion {kind}").format(kind=at.get("kind") or part))
    return ", ".join(words)


class RulesText(Page):
    """The latest version of the rules as text; saving makes the next version."""

    template_name = "desk/promotions/rank_systems/text.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        rules = self.ask("rank-system-rules", id=self.kwargs["id"])
        form = TextForm(initial={"text": written(in_order(rules)), "version": rules["version"]})
        return {"form": form, "system": self.ask("rank-system", id=self.kwargs["id"])}

    def submit(self) -> HttpResponseBase:
        form = TextForm(self.request.POST)
        shown = {"form": form, "system": self.ask("rank-system", id=self.kwargs["id"])}
        if not form.is_valid():
            return self.render(shown, status=400)
        document = form.cleaned_data["text"]
        body = {**document, "version": form.cleaned_data["version"]}
        try:
            saved = self.send("PUT", "rank-system-rules", body, id=self.kwargs["id"])
        except Refused as error:
            return self.render(
                {**shown, "error": error, "places": places(error, document)}, status=error.status
            )
        message = gettext("Version {version} is saved.").format(version=saved["version"])
        return self.redirect("desk:rank-system", message, id=self.kwargs["id"])


class NewSystemText(Page):
    """A new rank system from a document."""

    template_name = "desk/promotions/rank_systems/text.html"
    section = "promotions"

    def context(self) -> dict[str, Any]:
        return {"form": TextForm(disciplines=self.disciplines(), initial={"text": written(_example())})}

    def disciplines(self) -> Any:
        """Return the choices of the discipline."""
        return discipline_choices(self, gettext("None: training of all disciplines counts"))

    def submit(self) -> HttpResponseBase:
        form = TextForm(self.request.POST, disciplines=self.disciplines())
        if not form.is_valid():
            return self.render({"form": form}, status=400)
        document = form.cleaned_data["text"]
        discipline = form.cleaned_data["discipline"]
        try:
            system = self.send(
                "POST", "rank-systems", {**document, **({"discipline": discipline} if discipline else {})}
            )
        except Refused as error:
            return self.render(
                {"form": form, "error": error, "places": places(error, document)}, status=error.status
            )
        return self.redirect("desk:rank-system", gettext("The rank system is saved."), id=system["id"])


def _example() -> Document:
    """Return a small document to begin with, with names in the language of the dojo."""
    return {
        "format": 1,
        "name": gettext("Our grades"),
        "art": "Aikido",
        "source": gettext("Our dojo"),
        "confidence": "C",
        "ranks": [
            {"code": "white", "name": gettext("White belt"), "colours": ["#ffffff"]},
            {"code": "yellow", "name": gettext("Yellow belt"), "colours": ["#fdd835"]},
        ],
        "steps": [
            {"from": None, "to": "white", "paths": [{"name": gettext("regular"), "criteria": []}]},
            {
                "from": "white",
                "to": "yellow",
                "paths": [
                    {
                        "name": gettext("regular"),
                        "criteria": [
                            {"kind": "time_in_rank", "months": 3},
                            {"kind": "attendance_count", "n": 30, "unit": "session"},
                        ],
                    }
                ],
            },
        ],
    }
