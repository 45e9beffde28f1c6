"""Direct calls to the function that asks strangers: this side has the database, that side has the internet."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from shared.federation.errors import (
    ListUnreachable,
    LoginRefused,
    NamesUnreachable,
    ProviderRefused,
    ProviderUnreachable,
)
from tenant_context.errors import RmapError, Unavailable

_REFUSALS: Mapping[str, type[RmapError]] = {
    refusal.code: refusal
    for refusal in (ProviderUnreachable, ProviderRefused, LoginRefused, NamesUnreachable, ListUnreachable)
}


def _lambda(seconds: float) -> Any:
    # Not at a start: few requests ask for it, and it takes a cold start longer than all else together.
    import boto3  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client(
        "lambda", config=Config(connect_timeout=1, read_timeout=seconds, retries={"total_max_attempts": 1})
    )


class Egress:
    """Calls one function and waits, so many seconds at most."""

    def __init__(
        self,
        function: str,
        *,
        seconds: float,
        connect: Callable[[float], Any] = _lambda,
        refusals: Mapping[str, type[RmapError]] = _REFUSALS,
    ) -> None:
        self._function = function
        self._refusals = refusals
        self._seconds = seconds
        self._connect = connect

    @cached_property
    def _client(self) -> Any:
        return self._connect(self._seconds)

    def call(self, operation: str, data: dict[str, Any], *, tenant: UUID, request_id: str) -> Any:
        """The answer. Errors: the refusals, as the other side says; Unavailable, when it is silent."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as above

        message = {"tenant": str(tenant), "id": request_id, "kind": operation, "data": data}
        try:
            answer = self._client.invoke(FunctionName=self._function, Payload=json.dumps(message).encode())
            content = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError, ValueError) as error:
            raise Unavailable("What this needs from elsewhere does not come; try again.") from error
        if answer.get("FunctionError") or not isinstance(content, dict):
            raise Unavailable("What this needs from elsewhere could not be had; try again.")
        if "error" in content:
            raise self._refusals.get(content["error"]["code"], Unavailable)(content["error"]["detail"])
        return content["result"]
