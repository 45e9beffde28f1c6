"""What browsers on other origins may send to the API and read from its answers."""

from __future__ import annotations

from typing import Final

CORS_EXPOSED: Final = [
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Freshness",
    "X-Request-Id",
    "X-Sales-Freshness",
]
CORS_METHODS: Final = ["DELETE", "GET", "PATCH", "POST", "PUT"]
CORS_HEADERS: Final = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "X-API-Key",
    "X-API-Version",
    "X-Tenant-ID",
]
CORS_MAX_AGE_S: Final = 3600
