"""Django imports this module, so that the model admins register themselves with the console."""

from shared_apps.tenants.console import model_admins

__all__ = ["model_admins"]
