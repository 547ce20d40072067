"""The platform console: Django's admin on the platform host, with our own sessions and audit log."""
