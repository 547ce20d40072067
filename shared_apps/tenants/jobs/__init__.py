"""Background jobs of tenants: the queue in PostgreSQL, and the schedules that put jobs into it."""
