"""What a page offers: the method and address of each of its links, forms and buttons, and the fields of its forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve

from tatami.api.permissions import rule_of

URLCONF: Final = "config.urls_tenant"
HOST: Final = "http://page.invalid"
_HTMX: Final = ("get", "post", "put", "patch", "delete")
_CONTROLS: Final = {"input", "select", "textarea", "button"}
_FILES: Final = ("/static/",)


class _Offers(HTMLParser):
    """Collects them. A form without `action` is sent to the page itself, a button without `formaction` to its form.

    A form counts if a person can use it: it has a control that is neither hidden nor disabled.
    """

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.found: set[tuple[str, str]] = set()
        self._form: tuple[str, str] | None = None
        self._fieldsets: list[bool] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        method = self._form[0] if self._form else "GET"
        if tag == "form":
            self._form = (given.get("method", "get").upper(), given.get("action", ""))
        elif tag == "fieldset":
            self._fieldsets.append("disabled" in given)
        elif tag in {"a", "area", "link"} and "href" in given:
            self._add("GET", given["href"])
        elif tag in _CONTROLS and "disabled" not in given and not any(self._fieldsets):
            if "formaction" in given:
                self._add(given.get("formmethod", method).upper(), given["formaction"])
            elif self._form and given.get("type") not in {"hidden", "button"}:
                self._add(*self._form)
        for one in _HTMX:
            if f"hx-{one}" in given:
                self._add(one.upper(), given[f"hx-{one}"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "fieldset":
            self._fieldsets.pop()

    def _add(self, method: str, target: str) -> None:
        if method == "DIALOG" or target.startswith("#"):
            return
        parts = urlsplit(urljoin(HOST + self.address, target))
        if f"{parts.scheme}://{parts.netloc}" == HOST and not parts.path.startswith(_FILES):
            self.found.add((method, parts.path))


def offers_of(page: str, address: str) -> set[tuple[str, str]]:
    """Return method and path of everything on the page at `address` that a person can follow or send.

    Other hosts, mail addresses and static files are left out.
    """
    parser = _Offers(address)
    parser.feed(page)
    return parser.found


@dataclass
class SentForm:
    """A form that a person sends with POST: where to, and its fields with the values that they have at first."""

    path: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.found: list[SentForm] = []
        self._form: SentForm | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            target = given.get("action") or given.get("hx-post") or self.address
            is_post = given.get("method", "get").lower() == "post" or "hx-post" in given
            self._form = SentForm(urlsplit(urljoin(HOST + self.address, target)).path) if is_post else None
            if self._form:
                self.found.append(self._form)
            return
        name = given.get("name", "")
        if self._form is None or not name:
            if tag == "option" and self._form is not None and self._select:
                chosen = given.get("value", "") if "selected" in given else self._form.fields[self._select]
                self._form.fields[self._select] = chosen or given.get("value", "")
            return
        if tag == "select":
            self._select = name
            self._form.fields.setdefault(name, "")
        elif tag in {"input", "textarea", "button"} and given.get("type") != "file":
            is_ticked = given.get("type") not in {"checkbox", "radio"} or "checked" in given
            if is_ticked or name not in self._form.fields:
                self._form.fields[name] = given.get("value", "on" if tag == "input" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "form":
            self._form = None


def forms_of(page: str, address: str) -> list[SentForm]:
    """Return the forms of the page at `address` that are sent with POST."""
    parser = _Forms(address)
    parser.feed(page)
    return parser.found


def refused_offers(offers: set[tuple[str, str]], role: str | None) -> set[str]:
    """Return those that lead nowhere, or to a route whose method the access table does not give to the role."""
    refused = set()
    for method, path in offers:
        try:
            name = resolve(path, URLCONF).view_name
        except Resolver404:
            refused.add(f"{method} {path}")
            continue
        rule = rule_of(name, method)
        if rule is None or rule.visibility_for(role) is None:
            refused.add(f"{method} {path}")
    return refused
