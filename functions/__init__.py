"""One folder, one Lambda function."""
