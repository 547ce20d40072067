"""Promotions, exams, rank systems."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
