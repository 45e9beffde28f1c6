"""What the local AWS endpoint drops from templates without a word, set by its API after a deploy.

    python -m infra.local_fixups

Each call states a fact, so it may run after every deploy, changed or not.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import boto3

from infra import catalog
from infra.cors import CORS_EXPOSED, CORS_HEADERS, CORS_MAX_AGE_S, CORS_METHODS
from infra.settings import LOCAL_API_ID, STAGES, LocalCloud, read_deployment
from infra.vocabulary import Table

Clients = Callable[[str], Any]


def complete(clients: Clients) -> None:
    """Set CORS, the copies of each function, and the tables' expiry on the local endpoint.

    `clients` gives a boto3 client by service name, already pointed at the endpoint.
    """
    _allow_browsers(clients("apigatewayv2"))
    _cap_copies(clients("lambda"))
    _expire_items(clients("dynamodb"))


def _allow_browsers(gateway: Any) -> None:
    gateway.update_api(
        ApiId=LOCAL_API_ID,
        CorsConfiguration={
            "AllowOrigins": list(STAGES["local"].cors_origins),
            "AllowMethods": CORS_METHODS,
            "AllowHeaders": CORS_HEADERS,
            "ExposeHeaders": CORS_EXPOSED,
            "MaxAge": CORS_MAX_AGE_S,
        },
    )


def _cap_copies(functions: Any) -> None:
    for row in catalog.FUNCTIONS:
        functions.put_function_concurrency(
            FunctionName=STAGES["local"].named(row.name),
            ReservedConcurrentExecutions=row.local_concurrency,
        )


def _expire_items(tables: Any) -> None:
    for table in Table:
        name = STAGES["local"].named(table)
        state = tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        if state["TimeToLiveStatus"] == "DISABLED":
            tables.update_time_to_live(
                TableName=name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"},
            )


def clients_of(cloud: LocalCloud) -> Clients:
    """Clients of a local endpoint, with the credentials that its root has."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=cloud.aws_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 -- the endpoint's own root
        )

    return client


def main() -> int:
    """Complete the endpoint that AWS_ENDPOINT_URL names."""
    cloud = read_deployment({"stage": "local"}).local
    if cloud is None:
        raise ValueError("The local stage has a local cloud.")
    complete(clients_of(cloud))
    sys.stdout.write(f"completed {cloud.aws_url}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
