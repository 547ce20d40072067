"""Django database backends for the two logins: `app` sees one scope at a time, `owner` owns the tables."""
