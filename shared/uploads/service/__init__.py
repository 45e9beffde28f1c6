"""What is asked of uploads, and the worker that reads them."""
