"""The look of the pages: the dojo's colour and its logo."""

from base64 import b64encode
from typing import Any, Final

from django import forms
from django.http.response import HttpResponseBase
from django.utils.translation import gettext, gettext_lazy

from tenant_apps.desk.api import Refused
from tenant_apps.desk.brand.colours import dark_palette, light_palette
from tenant_apps.desk.forms import ApiForm
from tenant_apps.desk.office.settings.view import SettingsPage

TATAMI_GREEN: Final = "#1d5c49"


class ColourForm(ApiForm):
    """The dojo's own colour or Tatami's. A colour other than the one that was shown is meant, ticked or not."""

    use_own = forms.BooleanField(label=gettext_lazy("Use our own colour"), required=False)
    accent_color = forms.CharField(
        label=gettext_lazy("Colour of buttons and links"),
        max_length=20,
        widget=forms.TextInput({"type": "color"}),
        help_text=gettext_lazy(
            "Where text would be hard to read in it, it is made darker or lighter automatically."
        ),
    )

    def body(self) -> dict[str, Any]:
        is_own = self.cleaned_data["use_own"] or "accent_color" in self.changed_data
        return {"accent_color": self.cleaned_data["accent_color"] if is_own else ""}


class LogoForm(ApiForm):
    image = forms.FileField(
        label=gettext_lazy("Picture"),
        widget=forms.FileInput({"accept": "image/png,image/jpeg"}),
        help_text=gettext_lazy("PNG or JPEG. It is also printed on certificates."),
    )


class Appearance(SettingsPage):
    """Change colour and logo; each has its form."""

    template_name = "desk/office/settings/appearance.html"

    def context(self) -> dict[str, Any]:
        colour = self.ask("settings")["accent_color"]
        return {
            "tab": "appearance",
            "colour_form": ColourForm(initial=shown_colour(colour)),
            "logo_form": LogoForm(),
            "logo": self.logo(),
            "light": light_palette(colour or TATAMI_GREEN),
            "dark": dark_palette(colour or TATAMI_GREEN),
        }

    def logo(self) -> str:
        """Return the logo as a data URI; empty if there is none."""
        try:
            found: str = self.ask("settings-logo")["image"]
        except Refused as error:
            if error.code != "not_found":
                raise
            return ""
        return found

    def submit(self) -> HttpResponseBase:
        if "remove" in self.request.POST:
            self.send("DELETE", "settings-logo")
            return self.redirect("desk:appearance", gettext("The logo is removed."))
        is_logo = "image" in self.request.FILES or "logo" in self.request.POST
        form: ApiForm
        if is_logo:
            form = LogoForm(self.request.POST, self.request.FILES)
        else:
            form = ColourForm(self.request.POST, initial=shown_colour(self.ask("settings")["accent_color"]))
        status = 400
        if form.is_valid():
            try:
                if is_logo:
                    self.send("PUT", "settings-logo", {"image": data_uri(form.cleaned_data["image"])})
                else:
                    self.send("PATCH", "settings", form.body())
            except Refused as error:
                form.add_refusal(error)
                status = error.status
            else:
                done = gettext("The appearance is saved. All pages have it within a minute.")
                return self.redirect("desk:appearance", done)
        return self.render(
            {**self.read_context(), "logo_form" if is_logo else "colour_form": form}, status=status
        )


def shown_colour(own: str) -> dict[str, Any]:
    """Return what the form shows for the dojo's colour, which is empty for Tatami's."""
    return {"use_own": bool(own), "accent_color": own or TATAMI_GREEN}


def data_uri(file: Any) -> str:
    """Return a file as the API takes a picture. What is neither PNG nor JPEG is refused there."""
    content: bytes = file.read()
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
