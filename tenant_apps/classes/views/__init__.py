"""The API of the schedule: one module for each resource. The attendance app shows a session with its roster."""

from tenant_apps.classes.views.sessions import SESSIONS, SessionCollection, SessionDetail

__all__ = ["SESSIONS", "SessionCollection", "SessionDetail"]
