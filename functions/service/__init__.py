"""Health, readiness, metrics, the API's description with a page to try it, and the 404 of every unknown address."""
