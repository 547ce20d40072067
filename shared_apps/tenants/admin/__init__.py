"""The console's pages about dojos. Django looks for this module; the tables register themselves."""

from shared_apps.tenants.admin import exports, tables

__all__ = ["exports", "tables"]
