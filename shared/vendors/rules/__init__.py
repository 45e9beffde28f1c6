"""From a vendor's bytes to rows."""
