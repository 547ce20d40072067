"""Students: list, profile, forms, import, cards."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
