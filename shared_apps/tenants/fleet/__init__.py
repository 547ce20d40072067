"""All tenants at once: which version each has, migrating the outdated ones, checking them. docs/decisions/0014."""
