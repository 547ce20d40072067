"""CSV in: a table is read, each line is judged, all good ones are written at once, and each line is answered for.

Judging and writing are a fixed number of statements, whatever the number of lines. A dry run judges and stops. What is
written is written in one transaction: killed in the middle, nothing has happened. Imports of a dojo take turns.
"""
