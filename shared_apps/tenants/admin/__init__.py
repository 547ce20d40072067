"""The console's pages about dojos. Django looks for this module; the tables register themselves."""

__all__ = ["exports", "tables"]
