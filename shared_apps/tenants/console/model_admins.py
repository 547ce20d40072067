"""The console's pages about tenants, their domains, usage and exports."""

from functools import lru_cache
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from unfold.decorators import action, display

from shared_apps.accounts.console.read_only import ReadOnlyInline, ReadOnlyModelAdmin
from shared_apps.accounts.console.site import console
from shared_apps.tenants.console import actions
from shared_apps.tenants.console.forms import DeletionForm, ImpersonationForm, NewTenantForm
from shared_apps.tenants.exports.files import archive_path
from shared_apps.tenants.models import Domain, Tenant, TenantExport, TenantUsage
from shared_apps.tenants.schema.versions import history
from tatami import clock
from tatami.api.views import get_or_404
from tatami.errors import DomainError
from tatami.text import normalise

_STATUS_COLOURS: Final = {
    Tenant.Status.ACTIVE: "success",
    Tenant.Status.SUSPENDED: "warning",
    Tenant.Status.DELETING: "danger",
    Tenant.Status.PROVISIONING: "info",
}

_EXPORT_COLOURS: Final = {
    TenantExport.Status.DONE: "success",
    TenantExport.Status.RUNNING: "info",
    TenantExport.Status.FAILED: "danger",
}


class DomainInline(ReadOnlyInline):
    """The domains of a tenant, on its page."""

    model = Domain
    fields = ("domain", "is_primary", "verified_at")


@admin.register(Tenant, site=console)
class TenantAdmin(ReadOnlyModelAdmin):
    """The tenants, and the actions on them."""

    list_display = ("name", "slug", "state", "version", "students", "attendances", "size", "created_at")
    list_filter = ("status",)
    list_select_related = ("usage",)
    search_fields = ("search_name",)
    ordering = ("-created_at", "-id")
    fields = (
        ("name", "slug"),
        ("status", "timezone"),
        ("schema_name", "schema_version"),
        ("students", "attendances", "size"),
        ("created_at", "updated_at", "deleted_at"),
    )
    readonly_fields = ("students", "attendances", "size")
    inlines = (DomainInline,)
    actions: ClassVar[Any] = ("suspend", "resume", "export", "count")
    actions_detail = ("act_as", "delete")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """Ignore accents and case, as the API does."""
        return super().get_search_results(request, queryset, normalise(search_term))

    @display(description="Status", ordering="status", label=_STATUS_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, tenant: Tenant) -> str:
        """Return the status, which is shown in its colour."""
        return tenant.status

    @admin.display(description="Version")
    def version(self, tenant: Tenant) -> str:
        """Return how many migrations the schema lacks. The page of the tenant shows its leaf migrations."""
        return _describe_version(tenant.schema_version)

    @admin.display(description="Active students", ordering="usage__students_active")
    def students(self, tenant: Tenant) -> int | None:
        """Return the number at the last count."""
        return _figure(tenant, "students_active")

    @admin.display(description="Attendances in 30 days", ordering="usage__attendances_30_days")
    def attendances(self, tenant: Tenant) -> int | None:
        """Return the number at the last count."""
        return _figure(tenant, "attendances_30_days")

    @admin.display(description="Size", ordering="usage__bytes")
    def size(self, tenant: Tenant) -> str | None:
        """Return the size of the tenant's tables at the last count."""
        size = _figure(tenant, "bytes")
        return None if size is None else filesizeformat(size)

    @admin.action(description="Suspend")
    def suspend(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Suspend these tenants: they respond 403."""
        _run_for_each(request, queryset, actions.suspend, "suspended")

    @admin.action(description="Resume, or restore within the grace period")
    def resume(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Make these tenants active again."""
        _run_for_each(request, queryset, actions.resume, "active")

    @admin.action(description="Export")
    def export(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Request exports of these tenants."""
        _run_for_each(request, queryset, actions.export, "queued for export")

    @admin.action(description="Count usage now")
    def count(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Count the usage of these tenants soon."""
        _run_for_each(request, queryset, actions.count, "queued for counting")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Create a tenant, which takes more than saving its row."""
        form = NewTenantForm(request.POST or None)
        if form.is_bound and form.is_valid():
            try:
                tenant = actions.create(request, form)
            except DomainError as refusal:
                form.add_error(None, refusal.message)
            else:
                messages.success(request, f"{tenant.slug} is active; its admin was mailed a link.")
                return _redirect_to(tenant)
        return self._page(request, "console/form.html", form, title="New dojo", action_label="Create")

    @action(description="Act as a user", url_path="act-as")  # type: ignore[untyped-decorator]
    def act_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the reason and the user, and show the token once."""
        tenant = get_or_404(Tenant.objects.all(), pk=object_id)
        form = ImpersonationForm(request.POST or None)
        if form.is_bound and form.is_valid():
            given = form.cleaned_data
            try:
                opened = actions.act_as(request, tenant, reason=given["reason"], user_id=given["user"])
            except DomainError as refusal:
                form.add_errors(dict(refusal.details or {"": refusal.message}))
            else:
                title = f"You act as {opened.user} of {tenant.name}"
                return self._page(request, "console/impersonation.html", form, title=title, opened=opened)
        title = f"Act as a user of {tenant.name}"
        return self._page(request, "console/form.html", form, title=title, action_label="Act for 15 minutes")

    @action(description="Delete", url_path="delete-with-grace")  # type: ignore[untyped-decorator]
    def delete(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the slug, then stop serving the tenant."""
        tenant = get_or_404(Tenant.objects.all(), pk=object_id)
        form = DeletionForm(tenant.slug, request.POST or None)
        if form.is_bound and form.is_valid():
            _run_for_each(
                request, [tenant], actions.delete, "deleted; it can be restored within the grace period"
            )
            return _redirect_to(tenant)
        return self._page(
            request, "console/form.html", form, title=f"Delete {tenant.name}", action_label="Delete"
        )

    def _page(self, request: HttpRequest, template: str, form: Form, **more: Any) -> HttpResponse:
        context = {**console.each_context(request), "opts": self.opts, "form": form, **more}
        return TemplateResponse(request, template, context)


@admin.register(Domain, site=console)
class DomainAdmin(ReadOnlyModelAdmin):
    """The domains of all tenants."""

    list_display = ("domain", "tenant", "is_primary", "verified_at", "created_at")
    list_filter = ("is_primary", ("verified_at", admin.EmptyFieldListFilter))
    list_select_related = ("tenant",)
    search_fields = ("domain", "tenant__slug")
    ordering = ("domain",)
    fields = ("domain", "tenant", "is_primary", "verified_at", "created_at")


@admin.register(TenantUsage, site=console)
class UsageAdmin(ReadOnlyModelAdmin):
    """The usage of all tenants, the largest first."""

    list_display = (
        "tenant",
        "students_active",
        "students_all",
        "attendances_30_days",
        "attendances_all",
        "users",
        "size",
        "last_attendance_at",
        "collected_at",
    )
    list_select_related = ("tenant",)
    search_fields = ("tenant__search_name",)
    ordering = ("-bytes", "tenant")
    readonly_fields = ("size",)

    @admin.display(description="Size", ordering="bytes")
    def size(self, usage: TenantUsage) -> str | None:
        """Return the size in a readable unit."""
        return None if usage.bytes is None else filesizeformat(usage.bytes)


@admin.register(TenantExport, site=console)
class ExportAdmin(ReadOnlyModelAdmin):
    """The exports that are kept, the newest first. The links are valid for 15 minutes."""

    list_display = ("tenant", "state", "rows", "size", "created_at", "expires_at", "archive")
    list_filter = ("status",)
    list_select_related = ("tenant",)
    search_fields = ("tenant__search_name", "tenant__slug")
    ordering = ("-created_at", "-id")
    fields = (
        ("tenant", "status"),
        ("rows", "size"),
        ("sha256", "archive"),
        ("error", "attempts"),
        ("created_at", "finished_at", "expires_at"),
    )
    readonly_fields = ("rows", "size", "archive")

    @display(description="Status", ordering="status", label=_EXPORT_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, export: TenantExport) -> str:
        """Return the status, which is shown in its colour."""
        return export.status

    @admin.display(description="Rows")
    def rows(self, export: TenantExport) -> str:
        """Return the progress in rows."""
        is_done = export.status == TenantExport.Status.DONE
        return f"{export.total:,}" if is_done else f"{export.done:,} of {export.total:,}"

    @admin.display(description="Size", ordering="bytes")
    def size(self, export: TenantExport) -> str | None:
        """Return the size in a readable unit."""
        return None if export.bytes is None else filesizeformat(export.bytes)

    @admin.display(description="Archive")
    def archive(self, export: TenantExport) -> Any:
        """Return the download link."""
        path = archive_path(export, now=clock.now())
        return path and format_html('<a href="{}" class="text-primary-600 underline">Download</a>', path)


def _run_for_each(request: HttpRequest, tenants: Any, run: actions.TenantAction, outcome: str) -> None:
    """Run an action for each tenant, and show a message for each."""
    for tenant in tenants:
        try:
            run(request, tenant)
        except DomainError as refusal:
            messages.error(request, f"{tenant.slug}: {refusal.message}")
        else:
            messages.success(request, f"{tenant.slug} is {outcome}.")


@lru_cache(maxsize=256)
def _describe_version(version: str) -> str:
    """Return how many migrations a version lacks. Cached: few versions exist at a time."""
    if not version:
        return "none yet"
    behind = len(history().missing(history().applied(version), history().all_keys))
    return f"{behind} behind" if behind else "current"


def _figure(tenant: Tenant, name: str) -> int | None:
    found: int | None = getattr(getattr(tenant, "usage", None), name, None)
    return found


def _redirect_to(tenant: Tenant) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:tenants_tenant_change", args=[tenant.pk]))
