"""The API's description and the page that shows it, served from the function's own bundle.

The bundle holds `page/` (ours) and `static/` (Swagger UI and openapi.json, put there when the bundle is built). Every
address in them is relative, so that they work below any path prefix and under any host name.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from tenant_context.errors import NotFound, Unavailable
from tenant_context.routing import Answer

_HOME = Path(__file__).parent
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "json": "application/json",
}
_OURS = frozenset({"docs.css", "docs.js"})
_SWAGGER = frozenset({"swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"})
_DIRECTIVES = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "style-src-attr": "'unsafe-inline'",  # Swagger UI sets some; no style sheet comes from elsewhere
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_POLICY = "; ".join(f"{name} {sources}" for name, sources in _DIRECTIVES.items())


class Pages:
    """Reads files once a sandbox."""

    def __init__(self, home: Path = _HOME) -> None:
        self._home = home
        self._read = lru_cache(maxsize=32)(self._read_file)
        self._described = lru_cache(maxsize=2)(self._describe)

    def description(self, root: str) -> Answer:
        """The OpenAPI document; `root` leads from its address to where the API's paths begin."""
        return Answer(self._described(root))

    def page(self) -> Answer:
        """The page to read and try the API."""
        content, _ = self._read("page/docs.html")
        headers = {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
        return Answer(content, headers=headers, content_type=_TYPES["html"])

    def file(self, name: str, known: str = "") -> Answer:
        """A file of the page; `known` is the ETag that the asker has. Errors: `NotFound`."""
        if name not in _OURS | _SWAGGER:
            raise NotFound(f"The page has no file {name[:50]}.")
        content, tag = self._read(f"{'page' if name in _OURS else 'static'}/{name}")
        headers = {"etag": tag, "cache-control": "public, max-age=300"}
        kind = _TYPES[name.rpartition(".")[2]]
        if known == tag:
            return Answer(b"", status=304, headers=headers, content_type=kind)
        return Answer(content, headers=headers, content_type=kind)

    def _describe(self, root: str) -> bytes:
        content, _ = self._read("static/openapi.json")
        document = json.loads(content)
        document["servers"] = [{"url": root, "description": "This deployment"}]
        return json.dumps(document, ensure_ascii=False).encode()

    def _read_file(self, place: str) -> tuple[bytes, str]:
        try:
            content = (self._home / place).read_bytes()
        except FileNotFoundError as error:
            raise Unavailable(f"{place} is not in the function's bundle.") from error
        return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'
