"""Campaigns and their life cycle."""
