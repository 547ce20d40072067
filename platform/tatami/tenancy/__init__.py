"""Whose data is meant, and how a request, a task or a command says so."""
