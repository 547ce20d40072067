"""What apps of a dojo may have to do when a dojo was restored."""

from django.dispatch import Signal

dojo_restored = Signal()
"""Sent in the new dojo's scope, in a transaction, before it serves, with `previous_id` and `now`.

`previous_id` is the UUID of the dojo that the archive was made of: what is stored under a hash that this id is part of
has to be stored anew. An error takes the new dojo back.
"""
