"""What the local endpoint drops or garbles from templates, set again through its API after a deploy."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.cloud import Cloud

_CORS = ("AllowOrigins", "AllowMethods", "AllowHeaders", "ExposeHeaders", "MaxAge", "AllowCredentials")


def mend(cloud: Cloud, synthesized: Path) -> None:
    """Set CORS of HTTP APIs and time-to-live of tables as the synthesized templates state them."""
    apis = {found["Name"]: found["ApiId"] for found in cloud.client("apigatewayv2").get_apis()["Items"]}
    for kind, properties in _resources(synthesized):
        if kind == "AWS::ApiGatewayV2::Api" and properties.get("Name") in apis:
            _set_cors(cloud, apis[properties["Name"]], properties)
        elif kind == "AWS::DynamoDB::Table" and isinstance(properties.get("TableName"), str):
            _set_time_to_live(cloud, properties)


def _resources(synthesized: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for template in sorted(synthesized.glob("*.template.json")):
        for resource in json.loads(template.read_text()).get("Resources", {}).values():
            yield resource["Type"], resource.get("Properties", {})


def _set_cors(cloud: Cloud, api_id: str, properties: dict[str, Any]) -> None:
    """Without this every preflight request is refused."""
    wanted = properties.get("CorsConfiguration")
    if wanted:
        configuration = {name: wanted[name] for name in _CORS if name in wanted}
        cloud.client("apigatewayv2").update_api(ApiId=api_id, CorsConfiguration=configuration)


def _set_time_to_live(cloud: Cloud, properties: dict[str, Any]) -> None:
    wanted = properties.get("TimeToLiveSpecification")
    if wanted:
        # Refused where it is enabled already, which is what is wanted.
        with contextlib.suppress(ClientError):
            cloud.client("dynamodb").update_time_to_live(
                TableName=properties["TableName"],
                TimeToLiveSpecification={"AttributeName": wanted["AttributeName"], "Enabled": True},
            )
