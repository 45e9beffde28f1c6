"""Starts timed work: one work item for each job and each tenant for which it has something to do."""
