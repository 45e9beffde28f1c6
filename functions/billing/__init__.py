"""Plans, invoices, cards and usage, as owners see and change them."""
