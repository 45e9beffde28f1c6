"""Mails to people: which there are, and how they are sent."""
