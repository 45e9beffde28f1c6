"""Keys, tables, secrets and the alarms' topic: what outlives every deploy."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.constructs.mail import Mail
from infra.constructs.nag import accept
from infra.constructs.resources import SecretHandle
from infra.settings import REGION, Deployment
from infra.stacks.base import StageStack
from infra.vocabulary import INDEXED_TABLES, Bucket, Secret, Table

_STRING = dynamodb.AttributeType.STRING
_AGREED = '{"meta_app_secret": "", "tiktok_client_secret": "", "google_audience": "", "google_service_account": ""}'
"""An empty form, to be filled in."""


class DataStack(StageStack):
    """What functions keep in DynamoDB, the keys they encrypt with, and the secrets they read."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, "data", deployment, about="keys, tables and secrets", stateful=True)
        self.data_key = None if self.stage.local else self._data_key()
        self.topic = self._alarm_topic(self.data_key) if self.data_key else None
        # Signing keys are made by key_rotation while the platform runs; policies know them by their tags.
        self.signing_keys_arn = self.format_arn(service="kms", resource="key", resource_name="*")
        self.field_key = self._field_key()
        self.tables = {table: self._table(table) for table in Table}
        # A bucket's name is the only one of its kind in the world; with the account's number it is ours.
        self.buckets: dict[Bucket, str] = {bucket: f"{self.stage.named(bucket)}-{self.account}" for bucket in Bucket}
        for bucket in Bucket:
            self._bucket(bucket)
        self.secrets = self._secrets()
        self.mail = Mail.within(self)
        self.tell("FieldKey", self.field_key.key_id)
        for table, made in self.tables.items():
            self.tell(f"Table{_camel(table)}", made.table_name)

    def _data_key(self) -> kms.Key:
        """The key that AWS's stores use on behalf of anyone who may use the store."""
        key = kms.Key(
            self,
            "DataKey",
            alias=f"alias/{self.stage.named('data')}",
            description="Encrypts tables, the database, secrets and alarms at rest.",
            enable_key_rotation=True,
            removal_policy=self.keep,
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ThroughTheStores",
                principals=[iam.AnyPrincipal()],
                actions=[
                    "kms:CreateGrant",
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey",
                    "kms:GenerateDataKeyWithoutPlaintext",
                    "kms:ReEncryptFrom",
                    "kms:ReEncryptTo",
                ],
                resources=["*"],
                conditions={
                    "StringEquals": {
                        "kms:CallerAccount": self.account,
                        "kms:ViaService": [
                            f"dynamodb.{REGION}.amazonaws.com",
                            f"rds.{REGION}.amazonaws.com",
                            f"s3.{REGION}.amazonaws.com",
                            f"secretsmanager.{REGION}.amazonaws.com",
                        ],
                    }
                },
            )
        )
        return key

    def _alarm_topic(self, key: kms.Key) -> sns.Topic:
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsToTheTopic",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        topic = sns.Topic(self, "Alarms", topic_name=self.stage.named("alarms"), master_key=key, enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        if self.deployment.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(self.deployment.alarm_email))
        return topic

    def _field_key(self) -> kms.Key:
        return kms.Key(
            self,
            "FieldKey",
            alias=f"alias/{self.stage.named('field')}",
            description="Encrypts single fields, such as webhook secrets.",
            enable_key_rotation=True,
            removal_policy=self.keep,
        )

    def _table(self, table: Table) -> dynamodb.Table:
        made = dynamodb.Table(
            self,
            f"Table{_camel(table)}",
            table_name=self.stage.named(table),
            partition_key=dynamodb.Attribute(name="pk", type=_STRING),
            sort_key=dynamodb.Attribute(name="sk", type=_STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if self.data_key else None,
            encryption_key=self.data_key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=self.stage.protected,
            removal_policy=self.keep,
        )
        if table in INDEXED_TABLES:
            made.add_global_secondary_index(
                index_name="gsi1",
                partition_key=dynamodb.Attribute(name="gsi1pk", type=_STRING),
                sort_key=dynamodb.Attribute(name="gsi1sk", type=_STRING),
                projection_type=dynamodb.ProjectionType.ALL,
            )
        return made

    def _bucket(self, bucket: Bucket) -> None:
        """Archives that tenants ask for, and files that they upload: who needs one after a week makes it anew."""
        made = s3.Bucket(
            self,
            f"Bucket{_camel(bucket)}",
            bucket_name=self.buckets[bucket],
            encryption=s3.BucketEncryption.KMS if self.data_key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self.data_key,
            bucket_key_enabled=True if self.data_key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=not self.stage.local,
            lifecycle_rules=[
                s3.LifecycleRule(expiration=Duration.days(7), abort_incomplete_multipart_upload_after=Duration.days(2))
            ],
            removal_policy=self.keep,
        )
        accept(made, "S1", "Who asked for an archive, or for an address, is in the audit log and the API's own log.")
        self.tell(f"Bucket{_camel(bucket)}", made.bucket_name)

    def _secrets(self) -> dict[Secret, SecretHandle]:
        """In an account they are made here; locally they stand ready before the deploy, by name.

        The database's own secret is RDS's, made with the cluster.
        """
        if self.stage.local:
            return {secret: SecretHandle.by_name(self, self.stage.secret(secret)) for secret in Secret}
        pepper = secretsmanager.Secret(
            self,
            "Pepper",
            secret_name=self.stage.secret(Secret.PEPPER),
            description="Keys the hashes of API keys and device keys.",
            encryption_key=self.data_key,
            # 64 letters and digits are also the base64 of 48 random bytes.
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=64, exclude_punctuation=True),
            removal_policy=self.keep,
        )
        accept(pepper, "SMG4", "Another pepper makes every stored hash of an API key unverifiable.")
        operator = secretsmanager.Secret(
            self,
            "Operator",
            secret_name=self.stage.secret(Secret.OPERATOR),
            description="What an operator sends to /health/detailed, /metrics and /api/v1/operator/*.",
            encryption_key=self.data_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(password_length=48, exclude_punctuation=True),
            removal_policy=self.keep,
        )
        accept(operator, "SMG4", "Who reads metrics with it must be told the new one; the runbook rotates it by hand.")
        stripe = secretsmanager.Secret(
            self,
            "Stripe",
            secret_name=self.stage.secret(Secret.STRIPE),
            description="Stripe's API key and webhook secret; put them in after the first deploy.",
            encryption_key=self.data_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template='{"api_key": ""}',  # noqa: S106 -- an empty form, to be filled in
                generate_string_key="webhook_secret",
            ),
            removal_policy=self.keep,
        )
        accept(stripe, "SMG4", "Stripe issues these; AWS cannot rotate a key of somebody else's service.")
        inbound = secretsmanager.Secret(
            self,
            "Inbound",
            secret_name=self.stage.secret(Secret.INBOUND),
            description="What ad platforms prove themselves by; what is empty is not set up.",
            encryption_key=self.data_key,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=_AGREED,
                generate_string_key="meta_verify_token",
                exclude_punctuation=True,
            ),
            removal_policy=self.keep,
        )
        accept(inbound, "SMG4", "The platforms issue these; AWS cannot rotate a key of somebody else's service.")
        return {
            Secret.INBOUND: SecretHandle.of(inbound),
            Secret.PEPPER: SecretHandle.of(pepper),
            Secret.STRIPE: SecretHandle.of(stripe),
            Secret.OPERATOR: SecretHandle.of(operator),
        }


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
