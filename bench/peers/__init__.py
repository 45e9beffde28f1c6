"""The usual way to do the same work, written as its own documentation teaches it, and meant to do well."""
