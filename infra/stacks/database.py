"""Aurora PostgreSQL Serverless v2, and the proxy that functions reach it through."""

from __future__ import annotations

from typing import cast

from aws_cdk import Acknowledgment, Duration, Fn, RemovalPolicy, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.constructs.alarms import PERIOD, alarm
from infra.constructs.nag import accept
from infra.constructs.resources import DatabaseAccess, SecretHandle
from infra.constructs.retention import log_group
from infra.settings import (
    DATABASE_NAME,
    DATABASE_OWNER,
    DATABASE_PORT,
    DATABASE_USER,
    DatabaseNumbers,
    Deployment,
)
from infra.stacks.base import StageStack
from infra.stacks.network import NetworkStack

_INSIGHTS = {
    7: rds.PerformanceInsightRetention.DEFAULT,
    465: rds.PerformanceInsightRetention.MONTHS_15,
}
ENGINE_VERSION = rds.AuroraPostgresEngineVersion.VER_18_6
PARAMETERS = {
    "rds.force_ssl": "1",
    "log_min_duration_statement": "500",
    "log_lock_waits": "1",
    "idle_in_transaction_session_timeout": "60000",
}


class DatabaseStack(StageStack):
    """The cluster and its proxy.

    Functions log in to the proxy with IAM, and the proxy to the cluster likewise (end to end): rmap_app has no
    password at all. The owner's password is made, kept and rotated by RDS itself.
    """

    def __init__(
        self,
        scope: Construct,
        deployment: Deployment,
        network: NetworkStack,
        key: kms.IKey,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, "database", deployment, about="the database", stateful=True)
        numbers = self.stage.database
        if numbers is None:
            raise ValueError(f"Stage {self.stage.name} has no database of its own.")
        self.cluster = self._cluster(numbers, network, key)
        self.proxy = self._proxy(network)
        self._alarms(topic, numbers)
        if self.cluster.secret is None:
            raise ValueError("RDS manages the owner's secret, so there is one.")
        self.access = DatabaseAccess(
            host=self.proxy.endpoint,
            reader_host=self._reader(network) if numbers.readers else self.proxy.endpoint,
            port=str(DATABASE_PORT),
            owner_host=self.cluster.cluster_endpoint.hostname,
            owner_secret=SecretHandle.of(self.cluster.secret),
            user_arn=self._user_arn(Fn.select(6, Fn.split(":", self.proxy.db_proxy_arn))),
        )

    def _cluster(self, numbers: DatabaseNumbers, network: NetworkStack, key: kms.IKey) -> rds.DatabaseCluster:
        name = self.stage.named("database")
        engine = rds.DatabaseClusterEngine.aurora_postgres(version=ENGINE_VERSION)
        exported = [
            log_group(self, f"Log{kind.title()}", self.stage, f"/aws/rds/cluster/{name}/{kind}")
            for kind in ("postgresql",)
        ]
        cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            cluster_identifier=name,
            engine=engine,
            parameter_group=rds.ParameterGroup(
                self, "Parameters", engine=engine, description="RMAP", parameters=PARAMETERS
            ),
            default_database_name=DATABASE_NAME,
            credentials=rds.Credentials.from_username(DATABASE_OWNER, encryption_key=key),
            manage_master_user_password=True,
            iam_authentication=True,
            port=DATABASE_PORT,
            writer=self._instance("Writer", key, numbers),
            readers=[self._instance(f"Reader{n}", key, numbers) for n in range(1, numbers.readers + 1)],
            serverless_v2_min_capacity=numbers.min_capacity,
            serverless_v2_max_capacity=numbers.max_capacity,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[self._frozen("ClusterGroup", network.cluster)],
            storage_encrypted=True,
            storage_encryption_key=key,
            backup=rds.BackupProps(retention=Duration.days(numbers.backup_days), preferred_window="03:00-04:00"),
            preferred_maintenance_window="sun:04:30-sun:05:30",
            copy_tags_to_snapshot=True,
            delete_automated_backups=not self.stage.protected,
            cloudwatch_logs_exports=["postgresql"],
            enable_performance_insights=True,
            performance_insight_retention=_INSIGHTS[numbers.insights_days],
            performance_insight_encryption_key=key,
            deletion_protection=self.stage.protected,
            removal_policy=RemovalPolicy.RETAIN if self.stage.protected else RemovalPolicy.SNAPSHOT,
        )
        cluster.node.add_dependency(*exported)
        Validations.of(cluster).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::E9006",
                reason="The schema that the CDK carries is older than Aurora 18.6, which the CDK itself names.",
            )
        )
        if not self.stage.protected:
            accept(cluster, "RDS10", "A development stage may be deleted; it leaves a snapshot.")
        return cluster

    @staticmethod
    def _instance(name: str, key: kms.IKey, numbers: DatabaseNumbers) -> rds.IClusterInstance:
        """An instance that no address outside reaches; readers grow with the writer, to take its place."""
        return rds.ClusterInstance.serverless_v2(
            name,
            publicly_accessible=False,
            scale_with_writer=None if name == "Writer" else True,
            enable_performance_insights=True,
            performance_insight_retention=_INSIGHTS[numbers.insights_days],
            performance_insight_encryption_key=key,
        )

    def _proxy(self, network: NetworkStack) -> rds.DatabaseProxy:
        role = iam.Role(
            self,
            "ProxyRole",
            description="Logs the proxy in to the cluster",
            assumed_by=iam.ServicePrincipal("rds.amazonaws.com"),
            inline_policies={
                "login": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["rds-db:connect"],
                            resources=[self._user_arn(self.cluster.cluster_resource_identifier)],
                        )
                    ]
                )
            },
        )
        proxy = rds.DatabaseProxy(
            self,
            "Proxy",
            role=role,
            db_proxy_name=self.stage.named("database"),
            proxy_target=rds.ProxyTarget.from_cluster(self.cluster),
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[self._frozen("ProxyGroup", network.proxy)],
            iam_auth=True,
            default_auth_scheme=rds.DefaultAuthScheme.IAM_AUTH,
            require_tls=True,
            borrow_timeout=Duration.seconds(5),
            idle_client_timeout=Duration.minutes(30),
            max_connections_percent=90,
        )
        # The CDK names the cluster beside its instances, and cfn-lint minds the repetition.
        group = cast("rds.CfnDBProxyTargetGroup", proxy.node.find_child("ProxyTargetGroup"))
        group.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
        return proxy

    def _reader(self, network: NetworkStack) -> str:
        reader = rds.CfnDBProxyEndpoint(
            self,
            "ProxyReader",
            db_proxy_name=self.proxy.db_proxy_name,
            db_proxy_endpoint_name=self.stage.named("database-reader"),
            target_role="READ_ONLY",
            vpc_subnet_ids=network.vpc.select_subnets(subnet_type=network.subnets.subnet_type).subnet_ids,
            vpc_security_group_ids=[network.proxy.security_group_id],
        )
        return reader.attr_endpoint

    def _frozen(self, name: str, group: ec2.ISecurityGroup) -> ec2.ISecurityGroup:
        """A group whose rules stand in the network's stack already, where the CDK would add them once more."""
        return ec2.SecurityGroup.from_security_group_id(self, name, group.security_group_id, mutable=False)

    def _user_arn(self, server: str) -> str:
        """The right to log in as rmap_app, on the proxy or on the cluster."""
        return f"arn:{self.partition}:rds-db:{self.region}:{self.account}:dbuser:{server}/{DATABASE_USER}"

    def _alarms(self, topic: sns.ITopic, numbers: DatabaseNumbers) -> None:
        def proxy_metric(name: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/RDS",
                metric_name=name,
                dimensions_map={"ProxyName": self.stage.named("database")},
                statistic="max",
                period=PERIOD,
            )

        alarm(
            self,
            "PinnedSessions",
            proxy_metric("DatabaseConnectionsCurrentlySessionPinned"),
            above=0,
            periods=3,
            topic=topic,
            about="The proxy pins sessions: some statement leaves state behind, and connections are not shared.",
        )
        alarm(
            self,
            "AtFullSize",
            self.cluster.metric_serverless_database_capacity(period=PERIOD, statistic="max"),
            above=numbers.max_capacity * 0.9,
            periods=3,
            topic=topic,
            about=f"The database runs near its largest size of {numbers.max_capacity:g} capacity units.",
        )
