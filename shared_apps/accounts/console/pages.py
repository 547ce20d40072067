"""What all pages of the console's tables share: they show, and change nothing but through services."""

from typing import Any, ClassVar

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, TabularInline


class ShownOnly:
    """Rows that are looked at."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ShownRows(ShownOnly, TabularInline):  # type: ignore[misc]
    """Rows that are looked at on the page of what they belong to."""

    extra = 0
    show_change_link = False


class ShownTable(ShownOnly, ModelAdmin):  # type: ignore[misc]
    """A table that is looked at. Our audit is the log, so Django's is not written."""

    actions: ClassVar[Any] = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list under the name of what it lists."""
        named = {"title": capfirst(str(self.opts.verbose_name_plural))}
        answer: HttpResponse = super().changelist_view(request, {**named, **(extra_context or {})})
        return answer

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write nothing."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write nothing."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Refuse: the audit is the history."""
        raise Http404
