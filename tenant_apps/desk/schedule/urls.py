"""Schedule, sessions, rosters, closures."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
