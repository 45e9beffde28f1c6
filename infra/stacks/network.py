"""A network without a way out: isolated subnets, and a door to each AWS service that functions in it use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import catalog
from infra.constructs.retention import log_group
from infra.settings import DATABASE_PORT, Deployment
from infra.stacks.base import StageStack
from infra.vocabulary import Access, Reach

_HTTPS: Final = ec2.Port.tcp(443)

_DOORS: Final[Mapping[str, tuple[Access, ...]]] = {
    "Queues": (Access.SEND,),
    "Events": (Access.PUBLISH,),
    "Keys": (Access.SIGN, Access.MAKE_KEY, Access.TEND_KEY, Access.MAKE_DATA_KEY, Access.ENCRYPT, Access.DECRYPT),
    "Secrets": (Access.READ_SECRET,),
    "Functions": (Access.CALL,),
}
"""Which access makes which interface endpoint necessary; each costs by the hour and zone."""


def _services() -> dict[str, ec2.InterfaceVpcEndpointAwsService]:
    return {
        "Queues": ec2.InterfaceVpcEndpointAwsService.SQS,
        "Events": ec2.InterfaceVpcEndpointAwsService.EVENTBRIDGE,
        "Keys": ec2.InterfaceVpcEndpointAwsService.KMS,
        "Secrets": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
        "Functions": ec2.InterfaceVpcEndpointAwsService.LAMBDA_,
    }


class NetworkStack(StageStack):
    """Isolated subnets, the endpoints that the catalog's permissions call for, and who may talk to whom."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, "network", deployment, about="the network", stateful=True)
        self.vpc = ec2.Vpc(
            self,
            "Network",
            vpc_name=self.stage.named("network"),
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/16"),
            availability_zones=[Fn.select(zone, Fn.get_azs()) for zone in range(self.stage.zones)],
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=20)
            ],
        )
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.database_functions = self._group("DatabaseFunctions", "Functions that may talk to the database.")
        self.other_functions = self._group("OtherFunctions", "Functions that may talk to AWS and nothing else.")
        self.owner_functions = self._group("OwnerFunctions", "The migrations, which talk to the cluster itself.")
        self.proxy = self._group("Proxy", "The proxy of the database.")
        self.cluster = self._group("Cluster", "The instances of the database.")
        self._connect(self.database_functions, self.proxy)
        self._connect(self.proxy, self.cluster)
        self._connect(self.owner_functions, self.cluster)
        self._doors()
        self._record_flows()

    def function_group(self, reach: Reach, *, owner: bool) -> ec2.SecurityGroup:
        """The security group of a function in this network."""
        if owner:
            return self.owner_functions
        return self.database_functions if reach is Reach.DATABASE else self.other_functions

    def _group(self, name: str, about: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, name, vpc=self.vpc, description=about, allow_all_outbound=False)

    @staticmethod
    def _connect(client: ec2.SecurityGroup, server: ec2.SecurityGroup) -> None:
        port = ec2.Port.tcp(DATABASE_PORT)
        client.add_egress_rule(server, port, "PostgreSQL")
        server.add_ingress_rule(client, port, "PostgreSQL")

    def _doors(self) -> None:
        doors = self._group("Doors", "The endpoints of AWS services.")
        for group in (self.database_functions, self.other_functions, self.owner_functions):
            doors.add_ingress_rule(group, _HTTPS, "AWS services")
            # Anywhere is only as far as the routes lead: the endpoints, S3 and DynamoDB.
            group.add_egress_rule(ec2.Peer.any_ipv4(), _HTTPS, "AWS services; no route leads further")
        ours = iam.PolicyStatement(
            principals=[iam.AnyPrincipal()],
            actions=["*"],
            resources=["*"],
            conditions={"StringEquals": {"aws:PrincipalAccount": self.account}},
        )
        services = _services()
        for name in needed_doors():
            door = self.vpc.add_interface_endpoint(
                name, service=services[name], subnets=self.subnets, security_groups=[doors], open=False
            )
            door.add_to_policy(ours)
        for name, service in (
            ("Objects", ec2.GatewayVpcEndpointAwsService.S3),
            ("Tables", ec2.GatewayVpcEndpointAwsService.DYNAMODB),
        ):
            self.vpc.add_gateway_endpoint(name, service=service, subnets=[self.subnets])

    def _record_flows(self) -> None:
        log: logs.LogGroup = log_group(self, "FlowLog", self.stage, f"/rmap/{self.stage.name}/network-flows")
        self.vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )


def needed_doors() -> tuple[str, ...]:
    """The interface endpoints that the permissions of functions inside the network call for."""
    used = {
        permission.access
        for row in catalog.FUNCTIONS
        if row.reach is not Reach.INTERNET
        for permission in row.permissions
    }
    return tuple(name for name, accesses in _DOORS.items() if used.intersection(accesses))
