"""A folder as a place: everything it has is in JSON files, and a process that opens it brings nothing along.

It is written as any other place is, with the ports and nothing of Headway's own places: docs/write-a-place.md goes
through it file by file.
"""
