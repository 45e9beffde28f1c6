"""The life of the keys that sign access tokens: made, published, used, kept for a while, retired."""
