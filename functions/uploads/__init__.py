"""Files of counts and receipts: announced, put into S3, followed."""
