"""Webhooks of a dojo and of the platform: events are stored with the change, and workers deliver them."""
