"""The schema of a tenant: which migrations it has, the statements that build it, and the DDL by the owner login."""
