"""The dojos as the platform sees them: rows in `public`, their schemas, their life cycle."""
