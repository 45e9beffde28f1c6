"""The public name's record, when Route 53 holds the zone."""

from __future__ import annotations

from aws_cdk import aws_route53 as route53
from constructs import Construct

from infra.settings import Domain


def point_at(scope: Construct, domain: Domain, *, target: str, zone: str) -> None:
    """Point the domain's name at an AWS host by an alias record, for both address families."""
    for kind in ("A", "AAAA"):
        route53.CfnRecordSet(
            scope,
            f"Record{kind}",
            hosted_zone_id=domain.zone_id,
            name=domain.name,
            type=kind,
            alias_target=route53.CfnRecordSet.AliasTargetProperty(dns_name=target, hosted_zone_id=zone),
        )
