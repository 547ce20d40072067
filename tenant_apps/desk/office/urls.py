"""Messages, reports, settings, users, devices, keys, webhooks, audit, export, first steps."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
