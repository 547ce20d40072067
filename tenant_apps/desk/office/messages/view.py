"""Messages to students and guardians: what was sent, a new one with a count and a preview, and the templates."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy, ngettext

from tatami.errors import NotFound
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.page import Page
from tenant_apps.notifications.recipients import students_in
from tenant_apps.notifications.serializers import AudienceSerializer

PAGE_SIZE: Final = 30
RECIPIENTS_SHOWN: Final = 50
FREE: Final = "free"


class Messages(Page):
    """The messages, newest first, and how far their mails are."""

    template_name = "desk/office/messages/list.html"
    section = "messages"

    def context(self) -> dict[str, Any]:
        found = self.ask_page("notifications", page_size=PAGE_SIZE)
        return {"messages_sent": [{**one, "title": title_of(one)} for one in found.rows], **found.place}


AUDIENCE: Final = ("training_class", "rank_system", "status", "guardians_only")
"""The fields of the form that choose who gets the message."""


class MessageForm(ApiForm):
    """The audience and the text. An empty audience is every active student."""

    paths: ClassVar[Mapping[str, str]] = {"body": "text", "audience.class": "training_class"}

    training_class = forms.ChoiceField(label=gettext_lazy("Class"), required=False)
    rank_system = forms.ChoiceField(label=gettext_lazy("Rank system"), required=False)
    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        required=False,
        choices=[
            ("", gettext_lazy("Active")),
            ("trial", gettext_lazy("On trial")),
            ("on_hold", gettext_lazy("On hold")),
        ],
        help_text=gettext_lazy("A message goes to one status. Write to students on trial separately."),
    )
    guardians_only = forms.BooleanField(label=gettext_lazy("Only guardians of minors"), required=False)
    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=200)
    text = forms.CharField(
        label=gettext_lazy("Text"),
        strip=False,
        widget=forms.Textarea({"rows": 10}),
        help_text=gettext_lazy(
            "Each mail has the name of its reader in place of {{ recipient }}, of the student in place of"
            " {{ student }}, and of the dojo in place of {{ dojo }}."
        ),
    )

    def __init__(self, *args: Any, page: Page, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        everyone = [("", gettext("All"))]
        for field, route in (("training_class", "classes"), ("rank_system", "rank-systems")):
            found = page.ask(route, query={"page_size": 200})["results"]
            self.fields[field].choices = [*everyone, *((one["id"], one["name"]) for one in found)]  # type: ignore[attr-defined]

    @property
    def is_audience_faulty(self) -> bool:
        """Whether a choice of the audience is none. Without it the audience would be larger than was meant."""
        return any(name in self.errors for name in AUDIENCE)

    def audience(self) -> dict[str, Any]:
        """Return the audience as the API takes it."""
        values = self.cleaned_data
        names = {"class": "training_class", "rank_system": "rank_system", "status": "status"}
        chosen = {name: values[field] for name, field in names.items() if values.get(field)}
        return {**chosen, **({"guardians_only": True} if values.get("guardians_only") else {})}


class NewMessage(Page):
    """Write to an audience."""

    template_name = "desk/office/messages/new.html"
    section = "messages"

    def context(self) -> dict[str, Any]:
        wanted = self.query("class")
        form = MessageForm(page=self, initial={"training_class": wanted})
        if wanted and wanted not in dict(form.fields["training_class"].choices):  # type: ignore[attr-defined]
            raise NotFound  # rather than a form for all students
        return {"form": form, "count": count_text({"class": wanted} if wanted else {}, self)}

    def shown(self, form: MessageForm) -> dict[str, Any]:
        """Return what the page shows of a form that was sent."""
        count = "" if form.is_audience_faulty else count_text(form.audience(), self)
        return {"form": form, "count": count}

    def submit(self) -> HttpResponseBase:
        form = MessageForm(self.request.POST, page=self)
        if not form.is_valid():
            return self.render(self.shown(form), status=400)
        body = {
            "audience": form.audience(),
            "subject": form.cleaned_data["subject"],
            "body": form.cleaned_data["text"],
            "test": "test" in self.request.POST,
        }
        try:
            made = self.send("POST", "notifications", body)
        except Refused as error:
            form.add_refusal(error)
            return self.render(self.shown(form), status=error.status)
        if body["test"]:
            self.say(gettext("A test mail is on its way to you."))
            return self.render(self.shown(form))
        return self.redirect("desk:message", gettext("The message is being sent."), id=made["id"])


class AudienceCount(Page):
    """How many students an audience has, and the preview of the text, while the form is filled in."""

    def submit(self) -> HttpResponseBase:
        form = MessageForm(self.request.POST, page=self)
        form.is_valid()  # subject and text may be missing while the form is filled in; the audience may not be wrong
        if form.is_audience_faulty:
            found = [f"{form[name].label}: {one}" for name in AUDIENCE for one in form[name].errors]
            fault = {"fault": " ".join(found)}
            return self.render(fault, template="desk/office/messages/preview.html", status=400)
        values = {"subject": self.request.POST.get("subject", ""), "body": self.request.POST.get("text", "")}
        context: dict[str, Any] = {"count": count_text(form.audience(), self)}
        if values["body"].strip():
            try:
                context["preview"] = self.send(
                    "POST",
                    "notification-template-preview",
                    {name: text for name, text in values.items() if text.strip()},
                    name=FREE,
                )
            except Refused as error:
                context["fault"] = "; ".join(
                    error.fields.get("body") or error.fields.get("subject") or [error.message]
                )
        return self.render(context, template="desk/office/messages/preview.html")


class Message(Page):
    """One message: its text, and what became of each mail."""

    template_name = "desk/office/messages/message.html"
    section = "messages"

    def context(self) -> dict[str, Any]:
        key = self.kwargs["id"]
        message = self.ask("notification", id=key)
        sent = self.query("sent") if self.query("sent") in {"true", "false"} else ""
        found = self.ask_page(
            "notification-recipients", page_size=RECIPIENTS_SHOWN, query={"sent": sent}, id=key
        )
        return {
            "message": message,
            "title": title_of(message),
            "recipients": found.rows,
            "sent": sent,
            "not_sent": message["total"] - message["sent"],
            **found.place,
        }

    def submit(self) -> HttpResponseBase:
        self.send("POST", "notification-cancel", id=self.kwargs["id"])
        return self.redirect(
            "desk:message", gettext("The mails that were not sent yet are cancelled."), id=self.kwargs["id"]
        )


class MessageProgress(Message):
    """The live part of a message: 204 while nothing has changed."""

    def get(self, *_args: Any, **_kwargs: Any) -> HttpResponseBase:
        context = self.context()
        if self.query("done") == str(context["message"]["done"]):
            return HttpResponse(status=204)
        return self.render(context, template="desk/office/messages/progress.html")

    submit = Page.submit


class TemplateForm(ApiForm):
    """The text of one kind of mail."""

    paths: ClassVar[Mapping[str, str]] = {"body": "text"}

    subject = forms.CharField(label=gettext_lazy("Subject"), max_length=200)
    text = forms.CharField(label=gettext_lazy("Text"), strip=False, widget=forms.Textarea({"rows": 12}))

    def template(self) -> dict[str, str]:
        """Return the text as the API takes it."""
        return {"subject": self.cleaned_data["subject"], "body": self.cleaned_data["text"]}


class Templates(Page):
    """The texts of mails that events cause."""

    template_name = "desk/office/messages/templates.html"
    section = "messages"

    def context(self) -> dict[str, Any]:
        return {"texts": self.ask("notification-templates"), "names": TEMPLATE_NAMES}


class Template(Page):
    """Change one text, with a preview."""

    template_name = "desk/office/messages/template.html"
    section = "messages"

    def context(self) -> dict[str, Any]:
        text = self.text()
        return {
            "text": text,
            "form": TemplateForm(initial={"subject": text["subject"], "text": text["body"]}),
            "names": TEMPLATE_NAMES,
        }

    def text(self) -> Any:
        """Return the template as the API shows it."""
        return self.ask("notification-template", name=self.kwargs["name"])

    def submit(self) -> HttpResponseBase:
        form, text = TemplateForm(self.request.POST), self.text()
        if not form.is_valid():
            return self.render({"form": form, "text": text, "names": TEMPLATE_NAMES}, status=400)
        try:
            if "preview" in self.request.POST:
                preview = self.send(
                    "POST", "notification-template-preview", form.template(), name=self.kwargs["name"]
                )
                return self.render({"form": form, "text": text, "preview": preview, "names": TEMPLATE_NAMES})
            self.send("PUT", "notification-template", form.template(), name=self.kwargs["name"])
        except Refused as error:
            form.add_refusal(error)
            return self.render({"form": form, "text": text, "names": TEMPLATE_NAMES}, status=error.status)
        return self.redirect("desk:message-templates", gettext("The text is saved."))


TEMPLATE_NAMES: Final = {
    "promotion": gettext_lazy("A promotion"),
    "exam_invitation": gettext_lazy("An invitation to an exam"),
    "exam_moved": gettext_lazy("An exam on another day"),
    "class_cancelled": gettext_lazy("A cancelled session"),
    "class_moved": gettext_lazy("A moved session"),
    "closure": gettext_lazy("The dojo is closed"),
    "absence": gettext_lazy("A long absence"),
    "free": gettext_lazy("A message to an audience"),
}


def title_of(message: Mapping[str, Any]) -> Any:
    """Return the subject of a message that a person wrote; what the others are about, whose subjects have places."""
    kind = message["kind"]
    return message["subject"] if kind == FREE else TEMPLATE_NAMES.get(kind, message["subject"])


def count_text(audience: dict[str, Any], page: Page) -> str:
    """Return how many students an audience has, in words. One statement, besides those that check the ids."""
    serializer = AudienceSerializer(data=audience)
    with transaction.atomic():
        if not serializer.is_valid():
            return gettext("No students")
        number = students_in(serializer.validated_data, on=page.today).count()  # type: ignore[call-arg]
    return ngettext("{n} student", "{n} students", number).format(n=number)
