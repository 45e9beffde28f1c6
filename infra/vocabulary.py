"""The words of the catalog: triggers, reach, resources, permissions and settings, as plain typed data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Reach(StrEnum):
    """What a function can talk to beside AWS itself: the database or the internet, never both."""

    DATABASE = "database"
    INTERNET = "internet"
    NEITHER = "neither"


class Queue(StrEnum):
    """The queues; each has a dead-letter queue of its own."""

    COUNTS = "counts"
    TRANSACTIONS = "transactions"
    WEBHOOK_EVENTS = "webhook_events"
    DELIVERIES = "deliveries"
    REFRESHES = "refreshes"
    BILLING = "billing"
    BILLING_OUTCOMES = "billing_outcomes"
    MAILS = "mails"
    EXPORTS = "exports"
    ERASURES = "erasures"
    USAGE = "usage"
    INBOX = "inbox"
    UPLOADS = "uploads"
    SLOW_DELIVERIES = "slow_deliveries"


class Table(StrEnum):
    """The DynamoDB tables: string keys `pk` and `sk`, expiry in `expires_at`."""

    SESSIONS = "sessions"
    REVOCATIONS = "revocations"
    CREDENTIALS = "credentials"
    TICKETS = "tickets"
    API_KEYS = "api_keys"
    DEVICES = "devices"
    DELIVERIES = "deliveries"
    LEASES = "leases"
    SIGNING_KEYS = "signing_keys"
    RATES = "rates"
    DATA_KEYS = "data_keys"
    SUPPRESSIONS = "suppressions"
    ANSWERS = "answers"


INDEXED_TABLES: Final = frozenset({Table.SESSIONS, Table.DELIVERIES})
"""Tables with the second index `gsi1` on (`gsi1pk`, `gsi1sk`), every attribute projected."""


class Bucket(StrEnum):
    """The buckets; whatever is a tenant's has a key that begins with the tenant's id."""

    EXPORTS = "exports"
    UPLOADS = "uploads"


class Key(StrEnum):
    """The KMS keys that functions use themselves (the data key is used by AWS's stores on their behalf).

    Of signing keys there are several, made while the platform runs; their tags say that they are ours.
    """

    SIGNING = "signing"
    FIELD = "field"


class Secret(StrEnum):
    """The secrets that functions read."""

    DATABASE_OWNER = "database/owner"
    DATABASE_APP = "database/app"
    PEPPER = "pepper"
    STRIPE = "stripe"
    INBOUND = "inbound"
    OPERATOR = "operator"


class Callee(StrEnum):
    """The functions that others call directly, and wait for."""

    IDENTITY_EGRESS = "identity_egress"
    BILLING_EGRESS = "billing_egress"
    INBOUND_EGRESS = "inbound_egress"


class Access(StrEnum):
    """One kind of access; ACTIONS says which IAM actions it is."""

    CONNECT = "connect to PostgreSQL as rmap_app"
    SEND = "send to a queue"
    CONSUME = "consume a queue"
    READ_TABLE = "read a table"
    WRITE_TABLE = "read and write a table"
    LEASE = "lease from a table's items"
    INSERT_MANY = "write new items of a table, many in a call"
    UPDATE_MANY = "update a table's items, many in a call"
    SCAN_TABLE = "read a table from end to end"
    READ_OBJECTS = "read a bucket's objects"
    WRITE_OBJECTS = "read, write and delete a bucket's objects"
    LIST_OBJECTS = "list a bucket's objects, those being made included"
    PUBLISH = "publish on the bus"
    SIGN = "sign with a key"
    MAKE_KEY = "make a key"
    TAG_KEY = "tag a key that is being made"
    TEND_KEY = "read a key's public part, and end it"
    MAKE_DATA_KEY = "make data keys, wrapped by a key"
    ENCRYPT = "encrypt with a key"
    DECRYPT = "decrypt with a key"
    SEND_MAIL = "send mail in our name"
    CALL = "call a function"
    READ_SECRET = "read a secret"  # noqa: S105 -- words, not a secret


_TABLE_READS: Final = (
    "dynamodb:BatchGetItem",
    "dynamodb:ConditionCheckItem",
    "dynamodb:DescribeTable",
    "dynamodb:GetItem",
    "dynamodb:Query",
)
_TABLE_WRITES: Final = (
    "dynamodb:BatchWriteItem",
    "dynamodb:DeleteItem",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
)

ACTIONS: Final[dict[Access, tuple[str, ...]]] = {
    Access.CONNECT: ("rds-db:connect",),
    Access.SEND: ("sqs:SendMessage",),
    Access.CONSUME: (
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
    ),
    Access.READ_TABLE: _TABLE_READS,
    Access.WRITE_TABLE: (*_TABLE_READS, *_TABLE_WRITES),
    Access.LEASE: ("dynamodb:UpdateItem",),
    Access.INSERT_MANY: ("dynamodb:PartiQLInsert",),
    Access.UPDATE_MANY: ("dynamodb:PartiQLUpdate",),
    Access.PUBLISH: ("events:PutEvents",),
    Access.SIGN: ("kms:Sign",),
    Access.MAKE_KEY: ("kms:CreateKey",),
    Access.TAG_KEY: ("kms:TagResource",),
    Access.TEND_KEY: ("kms:DescribeKey", "kms:DisableKey", "kms:GetPublicKey", "kms:ScheduleKeyDeletion"),
    Access.SCAN_TABLE: ("dynamodb:Scan",),
    Access.READ_OBJECTS: ("s3:GetObject",),
    Access.WRITE_OBJECTS: (
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ),
    Access.LIST_OBJECTS: ("s3:ListBucket", "s3:ListBucketMultipartUploads"),
    Access.MAKE_DATA_KEY: ("kms:GenerateDataKey",),
    Access.ENCRYPT: ("kms:Encrypt",),
    Access.DECRYPT: ("kms:Decrypt",),
    Access.SEND_MAIL: ("ses:SendEmail",),
    Access.CALL: ("lambda:InvokeFunction",),
    Access.READ_SECRET: ("secretsmanager:GetSecretValue",),
}
"""The IAM actions of each access, spelled out: no action in any policy of a function holds a wildcard."""

LOCAL_ACTIONS: Final[dict[Access, tuple[str, ...]]] = {Access.SEND: ("sqs:SendMessageBatch",)}
"""What the local endpoint asks for beside: AWS counts a batch as sqs:SendMessage and knows no such action."""

LOCAL_OF_BATCHES: Final[dict[Access, str]] = dict.fromkeys(
    (Access.INSERT_MANY, Access.UPDATE_MANY), "dynamodb:BatchExecuteStatement"
)
"""What the local endpoint asks for beside, of no table: it does not look into a batch's statements, as AWS does."""

SIGNING_KEY_TAG: Final = ("rmap:use", "signing")
"""The tag, beside the stage's, by which a key is known to sign access tokens."""

LOCAL_UNJUDGED: Final = frozenset({"kms:KeySpec", "kms:KeyUsage"})
"""Keys of conditions that the local endpoint knows nothing of, so that they would never hold there."""

Resource = Queue | Table | Bucket | Key | Secret | Callee | None


@dataclass(frozen=True, slots=True)
class Permission:
    """One access to one resource; the bus and the database are single, so those carry no resource."""

    access: Access
    resource: Resource = None


def may(access: Access, *resources: Resource) -> tuple[Permission, ...]:
    """The permissions for one access on each resource, or on the single one there is."""
    return tuple(Permission(access, resource) for resource in resources or (None,))


@dataclass(frozen=True, slots=True)
class Http:
    """Requests: `prefixes` below /api/v1 and /api, exact `paths`, and whether all unknown ones land here."""

    prefixes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    default: bool = False


@dataclass(frozen=True, slots=True)
class QueueConsumer:
    """Messages: up to `batch_size` at once after at most `window_s`, in at most `max_concurrency` copies.

    Lambda gathers more than ten only in a window of at least a second.
    """

    queue: Queue
    batch_size: int
    window_s: int
    max_concurrency: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Time: every so many minutes; locally maybe more often, so that a demo sees it."""

    minutes: int
    local_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class CustomResource:
    """A step of the deploy itself."""


@dataclass(frozen=True, slots=True)
class Called:
    """Other functions of ours, which hold the permission to."""


Trigger = Http | QueueConsumer | Schedule | CustomResource | Called


RARE_MINUTES: Final = 60
LOCAL_REQUESTS: Final = 8
LOCAL_BACKGROUND: Final = 2


@dataclass(frozen=True, slots=True)
class Bell:
    """An alarm on a metric that a function notes itself: it rings where one value of five minutes is above."""

    metric: str
    operation: str
    """The operation that notes it, as its logs name it."""
    above: float
    about: str


class Setting(StrEnum):
    """Environment variables that follow from no permission and are named by the rows that need them."""

    OUTBOUND_ALLOW = "RMAP_OUTBOUND_ALLOW"
    OWN_ADDRESSES = "RMAP_OWN_ADDRESSES"
    STRIPE_URL = "RMAP_STRIPE_URL"
    BREACHES_URL = "RMAP_BREACHES_URL"
    DNS_SERVER = "RMAP_DNS_SERVER"
    MAIL_FROM = "RMAP_MAIL_FROM"
    SNS_TOPICS = "RMAP_SNS_TOPICS"
    PLACES_URL = "RMAP_PLACES_URL"
    TRIES_PER_ADDRESS = "RMAP_TRIES_PER_ADDRESS"
    ARGON2_TIME_COST = "RMAP_ARGON2_TIME_COST"
    ARGON2_MEMORY_KIB = "RMAP_ARGON2_MEMORY_KIB"
    ARGON2_LANES = "RMAP_ARGON2_LANES"
    BASE_DOMAIN = "RMAP_BASE_DOMAIN"
    RP_ID = "RMAP_RP_ID"
    PUBLIC_URL = "RMAP_PUBLIC_URL"
    RP_ORIGINS = "RMAP_RP_ORIGINS"
    KEYS_ROTATE_AFTER = "RMAP_KEYS_ROTATE_AFTER"
    KEYS_PUBLISH_FOR = "RMAP_KEYS_PUBLISH_FOR"
    KEYS_OVERLAP = "RMAP_KEYS_OVERLAP"


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the catalog.

    `layers` are the dependency layers beside the kernel. `permissions` are complete: what is not here, AWS
    denies, locally too.
    """

    name: str
    purpose: str
    triggers: tuple[Trigger, ...]
    reach: Reach
    permissions: tuple[Permission, ...]
    memory_mb: int = 1024
    timeout_s: int = 15
    layers: tuple[str, ...] = ("core",)
    extra_settings: tuple[Setting, ...] = ()
    holds_api_page: bool = False
    bells: tuple[Bell, ...] = ()
    """Alarms beside those that every function has."""

    @property
    def handler(self) -> str:
        """The handler string that Lambda is given."""
        return f"functions.{self.name}.handler.handler"

    @property
    def local_concurrency(self) -> int:
        """How many copies may run on an engineer's machine, where each one is a process of 50 MB or more.

        A queue waits when they are all busy; a request is refused with 429, so those get more.
        """
        return LOCAL_REQUESTS if self.has(Http) else LOCAL_BACKGROUND

    def has(self, trigger: type[Trigger]) -> bool:
        """Whether some trigger is of this kind."""
        return any(isinstance(mine, trigger) for mine in self.triggers)

    @property
    def is_rare(self) -> bool:
        """Whether its schedule calls it so seldom that a failure is over before a second one could be counted."""
        return any(isinstance(trigger, Schedule) and trigger.minutes > RARE_MINUTES for trigger in self.triggers)

    def may(self, access: Access, resource: Resource = None) -> bool:
        """Whether the row holds this permission; without a resource, on any resource."""
        return any(p.access is access and resource in (None, p.resource) for p in self.permissions)
