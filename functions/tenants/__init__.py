"""Organizations, their members and their audit log."""
