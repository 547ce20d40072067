"""Cards to print: that of one student, and sheets of many. A card holds a code, and the name."""

from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.http.response import HttpResponseBase
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from tatami.api.filters import read_uuid
from tatami.errors import Invalid
from tatami.qr_images import qr_svg
from tenant_apps.attendance import cards
from tenant_apps.desk.page import Page
from tenant_apps.desk.students.directory.view import chosen
from tenant_apps.desk.students.student_page import StudentPage
from tenant_apps.students.models import Student

SHEET_SIZE: Final = 50
"""Cards on a page: five sheets of A4. More would make the page heavy."""


def printed(name: str, token: str) -> dict[str, str]:
    """Return what is printed on a card: the name, and the code as an SVG element."""
    return {"name": name, "code": mark_safe(qr_svg(token))}  # noqa: S308 - a drawing of squares


class Card(StudentPage):
    """The card of a student. A student who has none gets one, as in the API (`POST /qr`)."""

    template_name = "desk/students/cards/card.html"

    def context(self) -> dict[str, Any]:
        student = self.student
        code = self.send("POST", "qr", {"student": student["id"], "kind": "card"})
        return {"student": student, "cards": [printed(student["name"], code["token"])]}

    def submit(self) -> HttpResponseBase:
        """Replace the card: the old one, which was lost, no longer works."""
        self.send("POST", "student-card", {}, id=self.student_id)
        said = gettext("This is the new card. The old one no longer works.")
        return self.redirect("desk:student-card", said, id=self.student_id)


class Cards(Page):
    """Sheets with the cards of the selected students, or of all that the filters of the list select.

    The API makes one card for each request; a sheet makes those that are missing at once.
    """

    template_name = "desk/students/cards/sheet.html"
    section = "students"

    def respond(self) -> HttpResponseBase:
        """Draw the codes after the transaction: students are locked while cards are made for them."""
        with transaction.atomic():
            self.reads_together = True
            found = self.found()
            names = found.pop("names")
            made = cards.valid_cards(list(names))
        codes = ((name, made[key]) for key, name in names.items() if key in made)
        drawn = [printed(name, cards.card_token(card)) for name, card in codes]
        return self.render({**found, "cards": drawn})

    def found(self) -> dict[str, Any]:
        """Return the names of the students of this page by their ids, and where the page is. Three statements."""
        if "selected" in self.request.GET:
            rows = Student.objects.not_archived().filter(pk__in=self.selected()).order_by("search_name", "pk")
            return {"names": {row.pk: row.name for row in rows}, "number": 1, "pages": 1}
        query = {**chosen(self), "ordering": "name"}
        listed = self.ask_page("students", page_size=SHEET_SIZE, query=query)
        return {
            "names": {UUID(one["id"]): one["name"] for one in listed.rows if not one["archived"]},
            **listed.place,
        }

    def selected(self) -> list[UUID]:
        """Return the selected ids. Raises `Invalid` for what is no id, and for more than a page has."""
        texts = self.request.GET.getlist("student")
        if len(texts) > SHEET_SIZE:
            raise Invalid.field(
                "student", gettext("Select at most %(most)s students.") % {"most": SHEET_SIZE}
            )
        try:
            return [read_uuid(text) for text in texts]
        except ValueError as error:
            raise Invalid.field("student", str(error)) from None
