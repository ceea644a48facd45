"""The reading process: what stands in a file, told in frames; it knows no database and no web.

Files are read in a process of its own with limits on memory, time and files (`limited`), for what
callers send may be made to do harm. `frames` is all that the two sides say to each other.
"""
