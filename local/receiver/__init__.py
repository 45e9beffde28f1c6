"""A webhook receiver to look at: keeps every request under /hooks/<name>, verifies signatures, misbehaves on demand.

`python -m local.receiver --port PORT --state FILE` runs it; `GET /` lists what arrived, as a page or as JSON.
"""
