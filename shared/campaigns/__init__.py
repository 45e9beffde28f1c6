"""Retail-media and ad-platform campaigns: what they are, what may be done to them, how they perform."""
