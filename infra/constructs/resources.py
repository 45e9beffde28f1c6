"""What functions use, gathered from the stacks: the one place where a permission finds its resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.vocabulary import Bucket, Callee, Queue, Secret, Table


@dataclass(frozen=True, slots=True)
class SecretHandle:
    """A secret as code names it and as a policy names it."""

    id: str
    arn: str

    @classmethod
    def of(cls, secret: secretsmanager.ISecret) -> SecretHandle:
        """A secret of our own stacks: its full ARN does for both."""
        return cls(secret.secret_arn, secret.secret_arn)

    @classmethod
    def by_name(cls, scope: Construct, name: str) -> SecretHandle:
        """A secret made elsewhere: Secrets Manager adds six characters to its ARN that nobody knows before."""
        arn = Stack.of(scope).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"{name}-??????",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return cls(name, arn)


@dataclass(frozen=True, slots=True)
class DatabaseAccess:
    """How functions reach PostgreSQL.

    `user_arn` is the IAM name of the right to log in as rmap_app; without one, functions log in with the app's
    secret. The owner connects to the cluster itself: a proxy would pin the session of every migration.
    """

    host: str
    reader_host: str
    port: str
    owner_host: str
    owner_secret: SecretHandle
    user_arn: str | None = None
    app_secret: SecretHandle | None = None


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything a row of the catalog may be given access to."""

    queues: Mapping[Queue, sqs.IQueue]
    tables: Mapping[Table, dynamodb.ITable]
    buckets: Mapping[Bucket, str]
    """By their names, which are ours to choose."""
    secrets: Mapping[Secret, SecretHandle]
    signing_keys_arn: str
    """What covers every signing key, and other keys too: the policies add the tags."""
    field_key: kms.IKey
    bus: events.IEventBus
    database: DatabaseAccess
    topic: sns.ITopic | None
    callees: Mapping[Callee, str]
    """The ARNs, with the alias, of functions that others call."""
    mail_identity: str
    """The ARN of the domain that mails are sent from."""
    mail_configuration: str = ""
    """The ARN of the configuration set by which SES tells of mails; empty where it tells nothing."""
    mail_topic: str = ""
    """The ARN of the topic that it tells."""
    origin_secrets: Sequence[SecretHandle] = ()
    """What CloudFront proves itself by, in the stages that have it."""
