"""The HTTP API itself: its stage, access log, limits and name. Its routes stand with the functions they lead to."""

from __future__ import annotations

import json

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.alarms import PERIOD, alarm
from infra.constructs.dns import point_at
from infra.constructs.retention import log_group
from infra.cors import CORS_EXPOSED, CORS_HEADERS, CORS_MAX_AGE_S, CORS_METHODS
from infra.settings import LOCAL_API_ID, LOCAL_API_STAGE, Deployment, Domain
from infra.stacks.base import StageStack

ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "address": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "route": "$context.routeKey",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "latency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "userAgent": "$context.identity.userAgent",
}
LATENCY_GOAL_MS = 100


class ApiStack(StageStack):
    """An HTTP API without routes, so that functions can be told its address without a circle."""

    def __init__(self, scope: Construct, deployment: Deployment, topic: sns.ITopic | None) -> None:
        super().__init__(scope, "api", deployment, about="the HTTP API")
        self.api = apigateway.CfnApi(
            self,
            "Api",
            name=self.stage.named("api"),
            protocol_type="HTTP",
            description="RMAP",
            cors_configuration=self._cors(),
            # Pins the id on the local endpoint, so that the address is the same after each deploy.
            tags={"ms-custom-id": LOCAL_API_ID} if self.stage.local else None,
        )
        self.api_stage = self._serve()
        domain = deployment.domain
        if domain and not self.stage.edge:
            self._name(domain)
        if topic is not None:
            self._alarms(topic)
        self.tell("ApiId", self.api.ref)
        if not self.stage.edge:
            self.tell("ApiUrl", self.endpoint)

    @property
    def host(self) -> str:
        """The host name that API Gateway gave."""
        return f"{self.api.ref}.execute-api.{self.region}.{self.url_suffix}"

    @property
    def endpoint(self) -> str:
        """The API's own address, in front of which a domain or CloudFront may stand."""
        if self.deployment.local:
            return self.deployment.local.api_url
        if self.deployment.domain and not self.stage.edge:
            return f"https://{self.deployment.domain.name}"
        return f"https://{self.host}"

    def _cors(self) -> apigateway.CfnApi.CorsProperty | None:
        if not self.stage.cors_origins:
            return None
        return apigateway.CfnApi.CorsProperty(
            allow_origins=list(self.stage.cors_origins),
            allow_methods=CORS_METHODS,
            allow_headers=CORS_HEADERS,
            expose_headers=CORS_EXPOSED,
            max_age=CORS_MAX_AGE_S,
        )

    def _serve(self) -> apigateway.CfnStage:
        log: logs.LogGroup = log_group(self, "AccessLog", self.stage, f"/rmap/{self.stage.name}/api-access")
        return apigateway.CfnStage(
            self,
            "Stage",
            api_id=self.api.ref,
            # Locally the address carries the stage, and a name without a dollar sign spares shells trouble.
            stage_name=LOCAL_API_STAGE if self.stage.local else "$default",
            auto_deploy=True,
            access_log_settings=apigateway.CfnStage.AccessLogSettingsProperty(
                destination_arn=log.log_group_arn, format=json.dumps(ACCESS_LOG)
            ),
            default_route_settings=apigateway.CfnStage.RouteSettingsProperty(
                throttling_rate_limit=self.stage.requests_per_second,
                throttling_burst_limit=self.stage.request_burst,
                detailed_metrics_enabled=True,
            ),
        )

    def _name(self, domain: Domain) -> None:
        name = apigateway.CfnDomainName(
            self,
            "Domain",
            domain_name=domain.name,
            domain_name_configurations=[
                apigateway.CfnDomainName.DomainNameConfigurationProperty(
                    certificate_arn=domain.certificate, endpoint_type="REGIONAL", security_policy="TLS_1_2"
                )
            ],
        )
        apigateway.CfnApiMapping(self, "Mapping", api_id=self.api.ref, domain_name=name.ref, stage=self.api_stage.ref)
        self.api.disable_execute_api_endpoint = True
        if domain.zone_id:
            point_at(self, domain, target=name.attr_regional_domain_name, zone=name.attr_regional_hosted_zone_id)

    def _alarms(self, topic: sns.ITopic) -> None:
        dimensions = {"ApiId": self.api.ref}
        alarm(
            self,
            "ServerErrors",
            cloudwatch.Metric(
                namespace="AWS/ApiGateway",
                metric_name="5xx",
                dimensions_map=dimensions,
                statistic="sum",
                period=PERIOD,
            ),
            above=0,
            topic=topic,
            about="The API answered with a server error.",
        )
        alarm(
            self,
            "Slow",
            cloudwatch.Metric(
                namespace="AWS/ApiGateway",
                metric_name="Latency",
                dimensions_map=dimensions,
                statistic="p95",
                period=PERIOD,
            ),
            above=LATENCY_GOAL_MS,
            periods=3,
            topic=topic,
            about=f"The API's 95th percentile is above its goal of {LATENCY_GOAL_MS} ms.",
        )
