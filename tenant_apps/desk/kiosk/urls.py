"""The kiosk at the door and the wall mode."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
