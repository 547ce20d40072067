"""The languages that texts can be in: English, and those that have catalogues of translations."""

from pathlib import Path

from django.conf import settings
from django.utils.translation import to_locale


def available_languages() -> list[tuple[str, str]]:
    """Return code and own name of English and of each language of the settings that has a catalogue, in their order."""
    return [
        (code, name)
        for code, name in settings.LANGUAGES
        if code == settings.LANGUAGE_CODE or _has_catalogue(code)
    ]


def _has_catalogue(code: str) -> bool:
    # The catalogue of the kernel stands for those of all apps: `make messages` writes them together.
    return any(
        (Path(path) / to_locale(code) / "LC_MESSAGES" / "django.mo").is_file()
        for path in settings.LOCALE_PATHS
    )
