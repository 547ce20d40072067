"""Dojos, their domains and their usage, in the console."""

from functools import lru_cache
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action, display

from shared_apps.accounts.console.read_only import ReadOnlyInline, ReadOnlyModelAdmin
from shared_apps.accounts.console.site import console
from shared_apps.tenants.admin import deeds
from shared_apps.tenants.admin.forms import DeletionForm, ImpersonationForm, NewTenantForm
from shared_apps.tenants.fleet.versions import history
from shared_apps.tenants.models import Domain, Tenant, TenantUsage
from tatami.api.views import get_or_404
from tatami.errors import DomainError
from tatami.text import normalise

_COLOURS: Final = {
    Tenant.Status.ACTIVE: "success",
    Tenant.Status.SUSPENDED: "warning",
    Tenant.Status.DELETING: "danger",
    Tenant.Status.PROVISIONING: "info",
}


class DomainRows(ReadOnlyInline):
    """The host names of a dojo, on its page."""

    model = Domain
    fields = ("domain", "is_primary", "verified_at")


@admin.register(Tenant, site=console)
class TenantTable(ReadOnlyModelAdmin):
    """The dojos, and what may be done about them."""

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
    inlines = (DomainRows,)
    actions: ClassVar[Any] = ("suspend", "resume", "export", "count")
    actions_detail = ("act_as", "delete")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        """Search without regard to accents and case, as the API does."""
        return super().get_search_results(request, queryset, normalise(search_term))

    @display(description="Status", ordering="status", label=_COLOURS)  # type: ignore[untyped-decorator]
    def state(self, tenant: Tenant) -> str:
        """Return the status, in its colour."""
        return tenant.status

    @admin.display(description="Version")
    def version(self, tenant: Tenant) -> str:
        """Return how many migrations the schema lacks; its leaves stand on the dojo's own page."""
        return _standing(tenant.schema_version)

    @admin.display(description="Active students", ordering="usage__students_active")
    def students(self, tenant: Tenant) -> int | None:
        """Return how many there were when they were last counted."""
        return _figure(tenant, "students_active")

    @admin.display(description="Attendances in 30 days", ordering="usage__attendances_30_days")
    def attendances(self, tenant: Tenant) -> int | None:
        """Return how many there were when they were last counted."""
        return _figure(tenant, "attendances_30_days")

    @admin.display(description="Size", ordering="usage__bytes")
    def size(self, tenant: Tenant) -> str | None:
        """Return how large the dojo's tables were when they were last measured."""
        found = _figure(tenant, "bytes")
        return None if found is None else filesizeformat(found)

    @admin.action(description="Suspend")
    def suspend(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Have these dojos answer 403."""
        _do(request, queryset, deeds.suspend, "suspended")

    @admin.action(description="Resume, or restore within the grace period")
    def resume(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Have these dojos serve again."""
        _do(request, queryset, deeds.resume, "serving")

    @admin.action(description="Export")
    def export(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Have the archives of these dojos made."""
        _do(request, queryset, deeds.export, "queued for its export")

    @admin.action(description="Count usage now")
    def count(self, request: HttpRequest, queryset: QuerySet[Tenant]) -> None:
        """Have the usage of these dojos counted soon."""
        _do(request, queryset, deeds.count, "queued to be counted")

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make a dojo, which takes more than saving its row."""
        form = NewTenantForm(request.POST or None)
        if form.is_bound and form.is_valid():
            try:
                tenant = deeds.create(request, form)
            except DomainError as refusal:
                form.add_error(None, refusal.message)
            else:
                messages.success(request, f"{tenant.slug} is active; its admin was mailed a link.")
                return _to(tenant)
        return self._page(request, "console/form.html", form, title="New dojo", deed="Make it")

    @action(description="Act as a user", url_path="act-as")  # type: ignore[untyped-decorator]
    def act_as(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why and as whom, and show the token once."""
        tenant = get_or_404(Tenant.objects.all(), pk=object_id)
        form = ImpersonationForm(request.POST or None)
        if form.is_bound and form.is_valid():
            given = form.cleaned_data
            try:
                opened = deeds.act_as(request, tenant, reason=given["reason"], user_id=given["user"])
            except DomainError as refusal:
                form.add_faults(dict(refusal.details or {"": refusal.message}))
            else:
                title = f"You act as {opened.user} of {tenant.name}"
                return self._page(request, "console/impersonation.html", form, title=title, opened=opened)
        title = f"Act as a user of {tenant.name}"
        return self._page(request, "console/form.html", form, title=title, deed="Act for 15 minutes")

    @action(description="Delete", url_path="delete-with-grace")  # type: ignore[untyped-decorator]
    def delete(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for the slug, and stop serving the dojo."""
        tenant = get_or_404(Tenant.objects.all(), pk=object_id)
        form = DeletionForm(tenant.slug, request.POST or None)
        if form.is_bound and form.is_valid():
            _do(request, [tenant], deeds.delete, "deleted; it can be restored for a while")
            return _to(tenant)
        return self._page(request, "console/form.html", form, title=f"Delete {tenant.name}", deed="Delete it")

    def _page(self, request: HttpRequest, template: str, form: Form, **shown: Any) -> HttpResponse:
        context = {**console.each_context(request), "opts": self.opts, "form": form, **shown}
        return TemplateResponse(request, template, context)


@admin.register(Domain, site=console)
class DomainTable(ReadOnlyModelAdmin):
    """The host names of all dojos."""

    list_display = ("domain", "tenant", "is_primary", "verified_at", "created_at")
    list_filter = ("is_primary", ("verified_at", admin.EmptyFieldListFilter))
    list_select_related = ("tenant",)
    search_fields = ("domain", "tenant__slug")
    ordering = ("domain",)
    fields = ("domain", "tenant", "is_primary", "verified_at", "created_at")


@admin.register(TenantUsage, site=console)
class UsageTable(ReadOnlyModelAdmin):
    """What the dojos use, the largest first."""

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
        """Return the size in the unit that fits."""
        return None if usage.bytes is None else filesizeformat(usage.bytes)


def _do(request: HttpRequest, tenants: Any, deed: deeds.Deed, outcome: str) -> None:
    """Do it for each dojo, and say of each what became of it."""
    for tenant in tenants:
        try:
            deed(request, tenant)
        except DomainError as refusal:
            messages.error(request, f"{tenant.slug}: {refusal.message}")
        else:
            messages.success(request, f"{tenant.slug} is {outcome}.")


@lru_cache(maxsize=256)
def _standing(version: str) -> str:
    """Return where a version stands. Few are about at a time, and the code's own does not change."""
    if not version:
        return "none yet"
    behind = len(history().missing(history().applied(version), history().whole))
    return f"{behind} behind" if behind else "current"


def _figure(tenant: Tenant, name: str) -> int | None:
    found: int | None = getattr(getattr(tenant, "usage", None), name, None)
    return found


def _to(tenant: Tenant) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:tenants_tenant_change", args=[tenant.pk]))
