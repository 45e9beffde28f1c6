"""Starts timed work: one work item for each tenant and job."""
