"""The revisions, in order; each runs its file of ../sql."""
