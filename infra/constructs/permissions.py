"""From a row's permissions to IAM statements and environment variables, resource by resource."""

from __future__ import annotations

from aws_cdk import Fn, Stack
from aws_cdk import aws_iam as iam

from infra import catalog
from infra.constructs.resources import DatabaseAccess, Resources
from infra.settings import AUDIENCE, DATABASE_NAME, DATABASE_OWNER, DATABASE_USER, Deployment, Stage
from infra.vocabulary import (
    ACTIONS,
    INDEXED_TABLES,
    LOCAL_ACTIONS,
    LOCAL_OF_BATCHES,
    LOCAL_UNJUDGED,
    SIGNING_KEY_TAG,
    Access,
    Bucket,
    Callee,
    Function,
    Http,
    Key,
    Permission,
    Queue,
    Secret,
    Setting,
    Table,
)

METRICS = "RMAP"
"""The namespace of the metrics that functions note themselves."""


def statements(row: Function, stage: Stage, resources: Resources) -> list[iam.PolicyStatement]:
    """One statement per kind of access, naming exactly the row's resources."""
    granted: dict[tuple[str, ...], list[str]] = {}
    of_keys: list[iam.PolicyStatement] = []
    for permission in catalog.permissions_of(row):
        if permission.resource is Key.SIGNING:
            of_keys.append(_of_signing_keys(permission.access, stage, resources))
            continue
        actions, arns = _grant(permission, resources)
        granted.setdefault(actions, []).extend(arns)
    if row.has(Http) and resources.origin_secrets:
        granted.setdefault(ACTIONS[Access.READ_SECRET], []).extend(secret.arn for secret in resources.origin_secrets)
    named = [iam.PolicyStatement(actions=list(actions), resources=arns) for actions, arns in granted.items()]
    if stage.local and (batches := {LOCAL_OF_BATCHES[one.access] for one in _of_batches(row)}):
        named.append(iam.PolicyStatement(actions=sorted(batches), resources=["*"]))
    return named + of_keys


def _of_batches(row: Function) -> list[Permission]:
    return [one for one in catalog.permissions_of(row) if one.access in LOCAL_OF_BATCHES]


def _of_signing_keys(access: Access, stage: Stage, resources: Resources) -> iam.PolicyStatement:
    """The right to keys that have no name yet: bounded by kind and by tags instead.

    CreateKey knows no resource (AWS's rule). A key is tagged while it is made, when it has no tags; one that has a
    stage's tag, such as the data key, cannot be given another.
    """
    use, signing = SIGNING_KEY_TAG
    asked = {f"aws:RequestTag/{use}": signing, "aws:RequestTag/rmap:stage": stage.name}
    tagged = {f"aws:ResourceTag/{use}": signing, "aws:ResourceTag/rmap:stage": stage.name}
    kind = {"kms:KeySpec": "RSA_2048", "kms:KeyUsage": "SIGN_VERIFY"}
    untagged: dict[str, str] = {}
    match access:
        case Access.MAKE_KEY:
            equal = asked | kind
        case Access.TAG_KEY:
            equal, untagged = asked, {"aws:ResourceTag/rmap:stage": "true"}
        case _:
            equal = tagged | kind
    if stage.local:
        equal = {name: value for name, value in equal.items() if name not in LOCAL_UNJUDGED}
    return iam.PolicyStatement(
        actions=list(ACTIONS[access]),
        resources=["*" if access is Access.MAKE_KEY else resources.signing_keys_arn],
        conditions={"StringEquals": equal, **({"Null": untagged} if untagged else {})},
    )


def _grant(permission: Permission, resources: Resources) -> tuple[tuple[str, ...], list[str]]:
    """The actions and the ARNs of one permission."""
    match permission.resource:
        case Queue() as queue:
            arns = [resources.queues[queue].queue_arn]
        case Table() as table:
            arn = resources.tables[table].table_arn
            arns = [arn, f"{arn}/index/gsi1"] if table in INDEXED_TABLES else [arn]
        case Bucket() as bucket:
            arn = f"arn:aws:s3:::{resources.buckets[bucket]}"
            arns = [arn if permission.access is Access.LIST_OBJECTS else f"{arn}/*"]
        case Key.FIELD:
            arns = [resources.field_key.key_arn]
        case Secret.DATABASE_OWNER:
            arns = [resources.database.owner_secret.arn]
        case Secret() as secret:
            arns = [resources.secrets[secret].arn]
        case Callee() as callee:
            arns = [resources.callees[callee]]
        case None if permission.access is Access.PUBLISH:
            arns = [resources.bus.event_bus_arn]
        case None if permission.access is Access.SEND_MAIL:
            arns = [arn for arn in (resources.mail_identity, resources.mail_configuration) if arn]
        case _:
            return _login(resources.database)
    local = resources.database.app_secret is not None
    return ACTIONS[permission.access] + (LOCAL_ACTIONS.get(permission.access, ()) if local else ()), arns


def _login(database: DatabaseAccess) -> tuple[tuple[str, ...], list[str]]:
    if database.user_arn:
        return ACTIONS[Access.CONNECT], [database.user_arn]
    if database.app_secret is None:
        raise ValueError("Without IAM, functions need the app's secret to log in.")
    return ACTIONS[Access.READ_SECRET], [database.app_secret.arn]


def environment(row: Function, deployment: Deployment, resources: Resources, *, api_url: str) -> dict[str, str]:
    """The environment variables of a function: what its permissions and its row call for, and no more."""
    stage = deployment.stage
    found = {
        "RMAP_STAGE": stage.name,
        "RMAP_VERSION": deployment.version,
        "POWERTOOLS_SERVICE_NAME": row.name,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS,
        "POWERTOOLS_LOG_LEVEL": stage.log_level,
    }
    if not stage.local:
        found["RMAP_TRACING"] = "true"
    if row.has(Http):
        found["RMAP_API_URL"] = api_url
        found["RMAP_ORIGIN_SECRETS"] = ",".join(secret.id for secret in resources.origin_secrets)
    if row.may(Access.READ_TABLE, Table.SIGNING_KEYS):
        found["RMAP_ISSUER"] = api_url
        found["RMAP_AUDIENCE"] = AUDIENCE
    for permission in row.permissions:
        found |= _setting(permission, resources)
    found |= {setting: _extra(setting, deployment, api_url, resources) for setting in row.extra_settings}
    return {name: value for name, value in found.items() if value}


def _extra(setting: Setting, deployment: Deployment, api_url: str, resources: Resources) -> str:
    """A variable that follows from no permission; empty where the stage needs none."""
    stage, local = deployment.stage, deployment.local
    values = {
        Setting.OUTBOUND_ALLOW: stage.outbound_allow,
        Setting.OWN_ADDRESSES: ",".join(
            filter(None, (api_url, deployment.base_domain, local.aws_url if local else ""))
        ),
        Setting.TRIES_PER_ADDRESS: str(stage.tries_per_address),
        Setting.ARGON2_TIME_COST: str(stage.argon2.time_cost),
        Setting.ARGON2_MEMORY_KIB: str(stage.argon2.memory_kib),
        Setting.ARGON2_LANES: str(stage.argon2.lanes),
        Setting.KEYS_ROTATE_AFTER: str(stage.signing_keys.rotate_after_s),
        Setting.KEYS_PUBLISH_FOR: str(stage.signing_keys.publish_for_s),
        Setting.KEYS_OVERLAP: str(stage.signing_keys.overlap_s),
        Setting.BASE_DOMAIN: deployment.base_domain,
        Setting.RP_ID: deployment.passkey_domain or _host(api_url),
        Setting.PUBLIC_URL: api_url,
        Setting.RP_ORIGINS: ",".join(deployment.passkey_origins) or api_url,
        Setting.MAIL_FROM: f"RMAP <no-reply@{deployment.mail_domain}>",
        Setting.SNS_TOPICS: resources.mail_topic,
        Setting.PLACES_URL: local.outside_url if local else "",
        Setting.STRIPE_URL: local.stripe_url if local else "",
        Setting.BREACHES_URL: local.outside_url if local else "",
        Setting.DNS_SERVER: local.outside_url.removeprefix("http://") if local else "",
    }
    return values[setting]


def _host(url: str) -> str:
    """The host of an https address that may be known only once it is deployed."""
    return Fn.select(2, Fn.split("/", url))


def _setting(permission: Permission, resources: Resources) -> dict[str, str]:  # noqa: C901  one case for each kind
    """The variables by which a function finds what a permission is about."""
    found: dict[str, str] = {}
    match permission.resource:
        case Queue() as queue:
            found = {f"RMAP_QUEUE_{queue.name}": resources.queues[queue].queue_url}
        case Table() as table:
            found = {f"RMAP_TABLE_{table.name}": resources.tables[table].table_name}
        case Bucket() as bucket:
            found = {f"RMAP_BUCKET_{bucket.name}": resources.buckets[bucket]}
        case Key.FIELD:
            found = {"RMAP_FIELD_KEY": resources.field_key.key_id}
        case Secret.DATABASE_OWNER:
            found = _owner(resources.database)
        case Secret() as secret:
            found = {f"RMAP_{secret.name}_SECRET": resources.secrets[secret].id}
        case Callee() as callee:
            found = {f"RMAP_FUNCTION_{callee.name}": resources.callees[callee]}
        case None if permission.access is Access.PUBLISH:
            found = {"RMAP_BUS": resources.bus.event_bus_name}
        case None if permission.access is Access.SEND_MAIL:
            found = {}
        case None:
            found = _app(resources.database)
    return found


def _owner(database: DatabaseAccess) -> dict[str, str]:
    return {
        "RMAP_DATABASE_HOST": database.owner_host,
        "RMAP_DATABASE_READER_HOST": database.owner_host,
        "RMAP_DATABASE_PORT": database.port,
        "RMAP_DATABASE_NAME": DATABASE_NAME,
        "RMAP_DATABASE_USER": DATABASE_OWNER,
        "RMAP_DATABASE_AUTH": "secret",
        "RMAP_DATABASE_SECRET": database.owner_secret.id,
    }


def _app(database: DatabaseAccess) -> dict[str, str]:
    found = {
        "RMAP_DATABASE_HOST": database.host,
        "RMAP_DATABASE_READER_HOST": database.reader_host,
        "RMAP_DATABASE_PORT": database.port,
        "RMAP_DATABASE_NAME": DATABASE_NAME,
        "RMAP_DATABASE_USER": DATABASE_USER,
        "RMAP_DATABASE_AUTH": "iam" if database.user_arn else "secret",
    }
    if database.app_secret:
        found["RMAP_DATABASE_SECRET"] = database.app_secret.id
    return found


def runtime_statements(log_group_arn: str, *, traced: bool) -> list[iam.PolicyStatement]:
    """What Lambda itself needs to write the function's log and traces."""
    found = [iam.PolicyStatement(actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group_arn])]
    if traced:
        found.append(
            iam.PolicyStatement(actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"])
        )
    return found


NETWORK_ACTIONS = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


def network_statements(stack: Stack, function_name: str) -> list[iam.PolicyStatement]:
    """What Lambda needs to put the function into a network; the function's own code is denied it."""
    arn = stack.format_arn(service="lambda", resource=f"function:{function_name}")
    return [
        iam.PolicyStatement(actions=list(NETWORK_ACTIONS), resources=["*"]),
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=list(NETWORK_ACTIONS),
            resources=["*"],
            conditions={"ArnEquals": {"lambda:SourceFunctionArn": arn}},
        ),
    ]
