"""The end of a tenant: everything of it is taken away, and a certificate says how much that was."""
