"""CSV files: import of students, rank events and facts, and the export of the student list.

An import is one pipeline (`pipeline`): read the file, parse each line, match the lines with the rows of the dojo,
write all valid lines, report on every line. Matching and writing take a fixed number of statements, whatever the
number of lines. A dry run stops before writing. Everything is written in one transaction, so an interrupted import
writes nothing. Imports of a dojo run one after the other.
"""
