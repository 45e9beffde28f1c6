"""A stateful stand-in for Stripe's API, for one machine.

One process on 127.0.0.1 answers the part of Stripe's API the platform uses, keeps its state in SQLite, runs
trials, renewals and dunning by a clock that can be moved, and delivers signed webhooks that can be duplicated,
delayed and reordered. `python -m local.stripe --help` tells how to start it; `/_control` steers it.
"""
