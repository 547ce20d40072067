"""The settings of the dojo."""

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.translation import get_language, gettext, override

from tatami.errors import NotFound
from tenant_apps.desk.api import Refused
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.office.settings.forms import TABS
from tenant_apps.desk.page import Page


class SettingsPage(Page):
    """What the pages of the settings have in common: their tabs."""

    section = "settings"

    def render_text(self, context: Any, *, template: str = "") -> str:
        tabs = {name: label for name, (label, _) in TABS.items()}
        return super().render_text({"tabs": tabs, **context}, template=template)


class Settings(SettingsPage):
    """One tab of the settings, as a form."""

    template_name = "desk/office/settings/form.html"

    @property
    def tab(self) -> str:
        """The name of the tab in the address."""
        name: str = self.kwargs.get("tab", "dojo")
        if name not in TABS:
            raise NotFound
        return name

    def context(self) -> dict[str, Any]:
        form = TABS[self.tab][1]
        values = self.ask("settings")
        values["certificate_examiners"] = "\n".join(values["certificate_examiners"])
        return {"tab": self.tab, "form": form(initial=values), "can_change": self.may("settings", "PATCH")}

    def submit(self) -> HttpResponseBase:
        form: ApiForm = TABS[self.tab][1](self.request.POST)
        if form.is_valid():
            try:
                self.send("PATCH", "settings", form.body())
            except Refused as error:
                form.add_refusal(error)
            else:
                with override(form.cleaned_data.get("language") or get_language()):
                    message = gettext("The settings are saved.")
                return self.redirect("desk:settings-tab", message, tab=self.tab)
        return self.render({"tab": self.tab, "form": form, "can_change": True}, status=400)
