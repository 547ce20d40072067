"""Messages, reports, settings, users, devices, keys, webhooks, audit, first steps."""

from django.urls import path

from tenant_apps.desk.office.access import view as access
from tenant_apps.desk.office.access import webhooks
from tenant_apps.desk.office.audit.view import Audit
from tenant_apps.desk.office.exports.view import DeleteExport, ExportFile, Exports, ExportsLive
from tenant_apps.desk.office.first_steps.view import FirstSteps
from tenant_apps.desk.office.messages import view as messages
from tenant_apps.desk.office.reports import view as reports
from tenant_apps.desk.office.settings.appearance import Appearance
from tenant_apps.desk.office.settings.provider import DeleteProvider, Provider
from tenant_apps.desk.office.settings.view import Settings

urlpatterns = [
    path("desk/messages", messages.Messages.as_view(), name="messages"),
    path("desk/messages/new", messages.NewMessage.as_view(), name="message-new"),
    path("desk/messages/count", messages.AudienceCount.as_view(), name="audience-count"),
    path("desk/messages/texts", messages.Templates.as_view(), name="message-templates"),
    path("desk/messages/texts/<slug:name>", messages.Template.as_view(), name="message-template"),
    path("desk/messages/<uuid:id>", messages.Message.as_view(), name="message"),
    path("desk/messages/<uuid:id>/progress", messages.MessageProgress.as_view(), name="message-progress"),
    path("desk/reports", reports.AttendanceReport.as_view(), name="reports"),
    path("desk/reports/expected", reports.ExpectedReport.as_view(), name="report-expected"),
    path("desk/reports/absentees", reports.AbsenteesReport.as_view(), name="report-absentees"),
    path("desk/reports/ranks", reports.RanksReport.as_view(), name="report-ranks"),
    path("desk/reports/<slug:report>/file", reports.ReportFile.as_view(), name="report-file"),
    path("desk/settings", Settings.as_view(), name="settings"),
    path("desk/settings/users", access.Users.as_view(), name="users"),
    path("desk/settings/users/<uuid:id>", access.User.as_view(), name="user"),
    path("desk/settings/second-factor", access.SignInPolicy.as_view(), name="sign-in-policy"),
    path("desk/settings/kiosks", access.Devices.as_view(), name="devices"),
    path("desk/settings/kiosks/<uuid:id>/end", access.RevokeDevice.as_view(), name="device-revoke"),
    path("desk/settings/api-keys", access.ApiKeys.as_view(), name="api-keys"),
    path("desk/settings/api-keys/<uuid:id>/end", access.RevokeApiKey.as_view(), name="api-key-revoke"),
    path("desk/settings/webhooks", webhooks.Webhooks.as_view(), name="webhooks"),
    path("desk/settings/webhooks/<uuid:id>", webhooks.Webhook.as_view(), name="webhook"),
    path("desk/settings/sign-in", Provider.as_view(), name="identity-provider"),
    path("desk/settings/sign-in/delete", DeleteProvider.as_view(), name="identity-provider-delete"),
    path("desk/settings/appearance", Appearance.as_view(), name="appearance"),
    path("desk/settings/exports", Exports.as_view(), name="exports"),
    path("desk/settings/exports/live", ExportsLive.as_view(), name="exports-live"),
    path("desk/settings/exports/<uuid:id>/file", ExportFile.as_view(), name="export-file"),
    path("desk/settings/exports/<uuid:id>/delete", DeleteExport.as_view(), name="export-delete"),
    path("desk/settings/audit", Audit.as_view(), name="audit"),
    path("desk/settings/first-steps", FirstSteps.as_view(), name="first-steps"),
    path("desk/settings/<slug:tab>", Settings.as_view(), name="settings-tab"),
]
