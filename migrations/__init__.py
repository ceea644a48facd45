"""The revisions of the database schema, applied by `ntm db upgrade`."""
