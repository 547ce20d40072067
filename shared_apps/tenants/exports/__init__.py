"""A whole dojo as one file, and a new dojo from such a file. docs/export-format.md says what is in it.

rules.py                     what does not travel, or not as it stands, and why
states.py, contents.py       the tables of a schema version; their rows as text, and checksums
manifest.py                  the table of contents
snapshot.py, writing.py      from a dojo to a file
reading.py, restoring.py     from a file to a new dojo
queueing.py, making.py       exports as work that outlives a request, and how long they are kept
views.py, links.py           over HTTP; showing.py: on a terminal
"""
