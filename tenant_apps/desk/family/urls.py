"""The page of families."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
