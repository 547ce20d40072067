"""Tenancy: scopes, host names, the seal of schemas, and the base classes of models."""
