"""Sends mails to people."""
