"""What arrived, for people (HTML) and programs (JSON)."""

import base64
import json
from html import escape
from typing import Any

from local.receiver.store import Received

_HEAD = """<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
<meta http-equiv=refresh content=5><title>Webhooks received</title><style>
body{font:15px system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
article{border:1px solid #ccc;border-radius:6px;padding:.7rem 1rem;margin:.8rem 0}
pre{overflow:auto;background:#f5f5f5;padding:.6rem;margin:.4rem 0}.ok{color:#067a2f}.bad{color:#b00020}
</style><h1>Webhooks received</h1>"""


def as_json(number: int, request: Received) -> dict[str, Any]:
    """One request; `body` is text, or absent where the bytes are not UTF-8 (`body_base64` has them always)."""
    shown = {
        "id": number,
        "path": request.path,
        "method": request.method,
        "received_at": request.received_at,
        "headers": {name.lower(): value for name, value in request.headers},
        "body_base64": base64.b64encode(request.body).decode(),
        "verified": request.verified,
        "reason": request.reason,
        "answered": request.answered,
    }
    try:
        shown["body"] = request.body.decode()
    except UnicodeDecodeError:
        shown["body"] = None
    return shown


def as_page(requests: list[tuple[int, Received]], total: int) -> str:
    """The last requests, newest first."""
    parts = [_HEAD, f"<p>{total} in all; the newest {len(requests)} below. This page renews itself.</p>"]
    parts += [_article(number, request) for number, request in requests]
    return "".join(parts)


def _article(number: int, request: Received) -> str:
    style = {True: "ok", False: "bad", None: ""}[request.verified]
    answered = "no answer" if request.answered is None else str(request.answered)
    return (
        f"<article><strong>{number} · {escape(request.method)} {escape(request.path)}</strong> "
        f"<span>{escape(request.received_at)}</span> · <span class='{style}'>{escape(request.reason)}</span>"
        f" · answered {answered}<pre>{escape(_readable(request.body))}</pre></article>"
    )


def _readable(body: bytes) -> str:
    text = body[:20_000].decode(errors="replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
