from django.urls import path

from tenant_apps.notifications import views

urlpatterns = [
    path("notifications", views.Notifications.as_view(), name="notifications"),
    path("notifications/<uuid:id>", views.NotificationResource.as_view(), name="notification"),
    path("notifications/<uuid:id>/recipients", views.Recipients.as_view(), name="notification-recipients"),
    path("notifications/<uuid:id>/cancel", views.CancelNotification.as_view(), name="notification-cancel"),
    path("notification-templates", views.Templates.as_view(), name="notification-templates"),
    path("notification-templates/<str:name>", views.Template.as_view(), name="notification-template"),
    path(
        "notification-templates/<str:name>/preview",
        views.TemplatePreview.as_view(),
        name="notification-template-preview",
    ),
    path(
        "notification-templates/<str:name>/test",
        views.TemplateTest.as_view(),
        name="notification-template-test",
    ),
    path("me/notifications", views.OwnNotifications.as_view(), name="own-notifications"),
    path("unsubscribe/<str:code>", views.Unsubscribe.as_view(), name="unsubscribe"),
]
