"""PostgreSQL as two logins: `app`, which sees one scope at a time, and `owner`, which owns the tables."""
