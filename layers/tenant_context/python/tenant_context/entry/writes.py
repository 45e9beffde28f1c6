"""Routes that write: one tenant's transaction each, and one effect for each Idempotency-Key."""

from typing import Any

from psycopg import errors

from tenant_context.errors import RmapError, Unavailable
from tenant_context.idempotency import Attempt, is_repeat
from tenant_context.postgres import Database
from tenant_context.routing import Answer, Call, Route, at_status, encode


class TransactionalWriter:
    """Opens the transaction, runs the route in it and remembers its answer with it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, route: Route, call: Call[Any], service: Any, method: str, path: str) -> Answer:
        """The answer of a committed write; a repeated one answers as the first did."""
        attempt = None
        if (key := call.headers.get("idempotency-key")) is not None:
            attempt = Attempt.of(key, method, path, call.raw, call.headers.get("if-match", ""))
        try:
            with self._database.transaction(call.tenant) as tx:
                answer = at_status(route, route.handler(call, tx, service))
                if attempt is not None:
                    attempt.remember(tx, answer, encode(answer.content if answer.kept is None else answer.kept))
        except (RmapError, errors.IntegrityError) as error:
            if attempt is None or isinstance(error, Unavailable):
                raise
            kept = attempt.recall(self._database, call.tenant)
            if kept is not None:
                return kept
            if is_repeat(error):
                raise Unavailable("The first attempt was just undone; try again.") from error
            raise
        return answer
