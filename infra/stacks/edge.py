"""CloudFront and the web application firewall in front of the API."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from infra.constructs.dns import point_at
from infra.constructs.nag import accept
from infra.constructs.retention import log_group
from infra.settings import Deployment
from infra.stacks.api import ApiStack
from infra.stacks.base import StageStack

ORIGIN_HEADER = "X-RMAP-Origin"
"""Carries a secret by which functions tell what came through the firewall from what went around it."""

CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
"""The Route 53 zone of every CloudFront distribution (AWS's constant)."""

_RULES = (
    # Counted, not blocked: bulk ingest sends large bodies, and sensors send no User-Agent.
    ("AWSManagedRulesCommonRuleSet", ("SizeRestrictions_BODY", "NoUserAgent_HEADER")),
    ("AWSManagedRulesKnownBadInputsRuleSet", ()),
    ("AWSManagedRulesAmazonIpReputationList", ()),
    ("AWSManagedRulesSQLiRuleSet", ()),
)


class EdgeStack(StageStack):
    """The public door of a protected stage."""

    def __init__(self, scope: Construct, deployment: Deployment, api: ApiStack) -> None:
        super().__init__(scope, "edge", deployment, about="CloudFront and its firewall", stateful=True)
        self.origin_secrets = [self._origin_secret(name) for name in self.stage.origin_secrets]
        self.distribution = self._distribution(api, self._firewall())
        domain = deployment.domain
        if domain and domain.zone_id:
            point_at(self, domain, target=self.distribution.distribution_domain_name, zone=CLOUDFRONT_ZONE)
        host = domain.name if domain else self.distribution.distribution_domain_name
        self.endpoint = f"https://{host}"
        self.tell("ApiUrl", self.endpoint)

    def _distribution(self, api: ApiStack, firewall: waf.CfnWebACL) -> cloudfront.Distribution:
        domain = self.deployment.domain
        distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=self.stage.named("api"),
            web_acl_id=firewall.attr_arn,
            domain_names=[domain.name] if domain else None,
            certificate=(
                certificates.Certificate.from_certificate_arn(self, "Certificate", domain.certificate)
                if domain
                else None
            ),
            minimum_protocol_version=(cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021 if domain else None),
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            enable_logging=True,
            log_bucket=self._log_bucket(),
            default_behavior=cloudfront.BehaviorOptions(
                origin=origins.HttpOrigin(
                    api.host,
                    protocol_policy=cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
                    origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
                    read_timeout=Duration.seconds(30),
                    custom_headers={ORIGIN_HEADER: self.origin_secrets[0].secret_value.unsafe_unwrap()},
                ),
                viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.HTTPS_ONLY,
                allowed_methods=cloudfront.AllowedMethods.ALLOW_ALL,
                cache_policy=cloudfront.CachePolicy.CACHING_DISABLED,
                origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
                response_headers_policy=cloudfront.ResponseHeadersPolicy.SECURITY_HEADERS,
                compress=True,
            ),
        )
        accept(distribution, "CFR1", "Tenants and their stores may be in any country.")
        if not domain:
            accept(
                distribution,
                "CFR4",
                "Without a domain of its own, CloudFront's certificate fixes the protocol; set one with -c domain=.",
            )
        return distribution

    def _origin_secret(self, name: str) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            f"{name.capitalize()}Secret",
            secret_name=self.stage.secret(name),
            description="The header by which functions know CloudFront.",
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=48, exclude_punctuation=True),
            removal_policy=self.keep,
        )
        accept(
            secret,
            "SMG4",
            "CloudFront's copy changes only with a deploy: a timed rotation would part the two and refuse everybody.",
        )
        return secret

    def _log_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Logs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            # CloudFront's standard log writes as the bucket's owner by an access control list.
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(self.stage.log_days))],
            removal_policy=RemovalPolicy.RETAIN,
        )
        accept(bucket, "S1", "This bucket is itself the place where access logs are kept.")
        return bucket

    def _firewall(self) -> waf.CfnWebACL:
        rules = [_rate_limit(self.stage.requests_per_address)]
        rules += [_managed(place, name, counted) for place, (name, counted) in enumerate(_RULES, start=1)]
        acl = waf.CfnWebACL(
            self,
            "Firewall",
            name=self.stage.named("api"),
            scope="CLOUDFRONT",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible("firewall"),
            rules=rules,
        )
        # The firewall writes only to a group of this prefix.
        log: logs.LogGroup = log_group(self, "FirewallLog", self.stage, f"aws-waf-logs-{self.stage.named('api')}")
        waf.CfnLoggingConfiguration(
            self,
            "FirewallLogging",
            resource_arn=acl.attr_arn,
            log_destination_configs=[
                f"arn:{self.partition}:logs:{self.region}:{self.account}:log-group:{log.log_group_name}"
            ],
            redacted_fields=[
                waf.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": name})
                for name in ("authorization", "x-api-key", "cookie")
            ],
        )
        return acl


def _visible(name: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True
    )


def _rate_limit(requests: int) -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name="rate",
        priority=0,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(limit=requests, aggregate_key_type="IP")
        ),
        visibility_config=_visible("rate"),
    )


def _managed(priority: int, name: str, counted: tuple[str, ...]) -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name=name,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=name,
                rule_action_overrides=[
                    waf.CfnWebACL.RuleActionOverrideProperty(
                        name=rule, action_to_use=waf.CfnWebACL.RuleActionProperty(count={})
                    )
                    for rule in counted
                ]
                or None,
            )
        ),
        visibility_config=_visible(name),
    )
