"""Files of counts and receipts: put into S3 by who has them, read from there in pieces."""
