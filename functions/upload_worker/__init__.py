"""Reads files of counts and receipts, and queues their rows."""
