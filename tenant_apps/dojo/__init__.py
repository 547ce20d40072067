"""The settings of a dojo."""
