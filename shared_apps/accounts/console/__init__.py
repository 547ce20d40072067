"""The frame of the platform console: Django's admin on the platform host, without Django's sessions and log."""
