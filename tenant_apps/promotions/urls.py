from django.urls import path

from tenant_apps.promotions import views

urlpatterns = [path("promotions/check", views.CheckPromotions.as_view(), name="promotion-check")]
