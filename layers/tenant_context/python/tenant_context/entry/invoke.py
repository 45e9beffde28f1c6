"""The door for other functions of ours, which call directly and wait for the answer.

A call is `{"operation": …, "tenant": …, "request_id": …, "data": …}`. What was refused is answered as
`{"error": {"code": …, "detail": …}}`, so that the caller can tell it to whoever asked it; a fault is raised, as Lambda
reports it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from tenant_context.context import TenantContext, from_message
from tenant_context.entry.queue import Message
from tenant_context.errors import RmapError
from tenant_context.observability import Observability

Operation = Callable[[TenantContext, dict[str, Any]], Any]


class InvokeEntry:
    """`handler(event, context)` of a function that others call."""

    def __init__(self, operations: Mapping[str, Operation], *, observability: Observability) -> None:
        self._operations = operations
        self._observability = observability

    def __call__(self, event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
        """Answer one call."""
        message = msgspec.convert(dict(event), type=Message)
        with self._observability.invocation(message.id, message.kind) as invocation:
            invocation.success = False
            tenant = from_message(message.tenant, message.id)
            invocation.caller(tenant)
            try:
                result = self._operations[message.kind](tenant, message.data)
            except RmapError as error:
                invocation.keys["refused"] = error.code
                invocation.success = True
                return {"error": {"code": error.code, "detail": error.detail or error.title}}
            invocation.success = True
            return {"result": result}
