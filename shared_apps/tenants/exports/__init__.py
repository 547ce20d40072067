"""A complete tenant as one file, and a new tenant from such a file. docs/export-format.md describes the file.

export_policy.py   what is not exported, or not unchanged, and why
schema_state.py    the tables of a schema version
snapshot.py        the rows of one moment, as text with checksums
manifest.py        the table of contents of an archive
archive.py         write an archive; read one and verify it
restore.py         create a tenant from an archive
build.py           exports as jobs: request, claim, build, store, expire
files.py           files on disk and in the storage
links.py, views.py over HTTP: download links, the API
"""
