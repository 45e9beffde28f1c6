"""One API call from headers to answer: key, idempotency, endpoint, expansion."""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field

from local.stripe import (  # noqa: F401  a module that is imported has its routes in the table
    catalog,
    checkout,
    customers,
    invoices,
    item_routes,
    metering,
    notices,
    portal,
    subscriptions,
)
from local.stripe.account import API_VERSION, Account, new_id, public
from local.stripe.errors import StripeError
from local.stripe.lists import expand
from local.stripe.params import Params, decode
from local.stripe.routes import Call, match
from local.stripe.store import Obj

KEY_LIFE = 86_400
MAX_KEY = 255


@dataclass(frozen=True)
class Request:
    """A request as it came over the wire; header names in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What goes back."""

    status: int
    body: Obj
    headers: dict[str, str] = field(default_factory=dict)


def unauthorised(message: str) -> StripeError:
    """No key, or not ours."""
    return StripeError(message, status=401)


class Api:
    """Stripe's API on one account."""

    def __init__(self, account: Account, api_key: str) -> None:
        self._account = account
        self._api_key = api_key

    def answer(self, request: Request) -> Answer:
        """Never raises for what a client did: errors are answers."""
        request_id = new_id("req_")
        try:
            self._check_key(request.headers.get("authorization", ""))
            answer = self._keyed(request, request_id)
        except StripeError as error:
            answer = Answer(error.status, error.body)
        if "error" in answer.body:
            address = f"{self._account.base_url}/logs/{request_id}"
            answer.body["error"].setdefault("request_log_url", address)
        answer.headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
            **answer.headers,
        }
        return answer

    def _check_key(self, header: str) -> None:
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "basic":
            value = base64.b64decode(value).decode("latin-1").partition(":")[0]
        elif scheme.lower() != "bearer":
            raise unauthorised("You did not provide an API key.")
        if not secrets.compare_digest(value.encode(), self._api_key.encode()):
            raise unauthorised(f"Invalid API Key provided: {value[:8]}****")

    def _keyed(self, request: Request, request_id: str) -> Answer:
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is None:
            return self._perform(request, request_id, None)
        if not 0 < len(key) <= MAX_KEY:
            raise StripeError("Idempotency keys are 1 to 255 characters long.", kind="idempotency_error")
        fingerprint = hashlib.sha256(f"{request.path}?{request.query}\n".encode() + request.body).hexdigest()
        store = self._account.store
        with store.transaction():
            store.rows("DELETE FROM answers WHERE created < ?", time.time() - KEY_LIFE)
            known = store.rows("SELECT fingerprint, status, body, request_id FROM answers WHERE key = ?", key)
            if known:
                return _replayed(known[0], fingerprint, key)
            answer = self._perform(request, request_id, key)
            store.rows(
                "INSERT INTO answers (key, fingerprint, status, body, request_id, created) VALUES (?,?,?,?,?,?)",
                key,
                fingerprint,
                answer.status,
                json.dumps(answer.body),
                request_id,
                time.time(),
            )
            return answer

    def _perform(self, request: Request, request_id: str, key: str | None) -> Answer:
        account = self._account
        with account.store.transaction():
            account.request_id, account.idempotency_key = request_id, key
            try:
                return Answer(200, self._call(request))
            except StripeError as error:
                # A refused payment is an outcome: what it changed stays, and a repeated key gets it again.
                if not error.keeps_changes:
                    raise
                return Answer(error.status, error.body)
            finally:
                account.request_id = account.idempotency_key = None

    def _call(self, request: Request) -> Obj:
        endpoint, ids = match(request.method, request.path)
        params = decode(request.query)
        if request.method != "GET" and request.body:
            params |= decode(request.body.decode())
        call = Call(self._account, request.path, ids, Params(params))
        wanted = call.params.words("expand")
        return _published(expand(self._account, endpoint(call), wanted))


def _published(answer: Obj) -> Obj:
    if answer.get("object") in {"list", "search_result"}:
        return answer | {"data": [public(obj) for obj in answer["data"]]}
    return public(answer)


def _replayed(known: tuple[str, int, str, str], fingerprint: str, key: str) -> Answer:
    before, status, body, request_id = known
    if before != fingerprint:
        raise StripeError(
            "Keys for idempotent requests can only be used with the same parameters they were first used "
            f"with. Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    return Answer(status, json.loads(body), {"Idempotent-Replayed": "true", "Original-Request": request_id})
