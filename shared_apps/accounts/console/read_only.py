"""Read-only model admins: the console shows rows, and changes them only through services."""

from typing import Any, ClassVar

from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.text import capfirst
from unfold.admin import ModelAdmin, TabularInline


class ReadOnlyPermissions:
    """Allows viewing, and refuses adding, changing and deleting."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(ReadOnlyPermissions, TabularInline):  # type: ignore[misc]
    """Read-only related rows on the page of their parent."""

    extra = 0
    show_change_link = False


class ReadOnlyModelAdmin(ReadOnlyPermissions, ModelAdmin):  # type: ignore[misc]
    """Read-only list and detail pages. Django's own admin log is not written: the audit log replaces it."""

    actions: ClassVar[Any] = None
    list_per_page = 50
    show_full_result_count = False
    list_filter_submit = False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return True

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Return the list page, with the plural name of the model as its title."""
        title = {"title": capfirst(str(self.opts.verbose_name_plural))}
        response: HttpResponse = super().changelist_view(request, {**title, **(extra_context or {})})
        return response

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write nothing."""

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Write nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write nothing."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Raise 404: the audit log is the history."""
        raise Http404
