"""The prod template holds exactly what the catalog grants; new rows are covered by themselves."""

from __future__ import annotations

from typing import Any

import pytest

from infra import catalog
from infra.vocabulary import (
    ACTIONS,
    INDEXED_TABLES,
    Access,
    Bucket,
    Callee,
    Function,
    Http,
    Key,
    Permission,
    Queue,
    Reach,
    Secret,
    Table,
)
from tests.infra.templates import Resource, Templates, listed, named, statements

every_function = pytest.mark.parametrize("row", catalog.FUNCTIONS, ids=lambda row: row.name)

XRAY = frozenset({"xray:PutTelemetryRecords", "xray:PutTraceSegments"})
NETWORK = frozenset(
    {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    }
)
MAKE_KEY = frozenset({"kms:CreateKey"})
UNSCOPED = {
    XRAY: "X-Ray has no resources that a policy could name.",
    NETWORK: "Lambda makes network interfaces before they have a name; the function's own code is denied this.",
    MAKE_KEY: "A key that is to be made has no name; kind and tags of it are conditions.",
}
"""Every permission on all resources that any role of the platform has, and why."""


SIGNING_KEYS = "arn:aws:kms:us-east-1:<AWS::AccountId>:key/*"
"""Made while the platform runs, so no template names one: they are known by their tags."""
OURS = {"rmap:use": "signing", "rmap:stage": "prod"}
KIND = {"kms:KeySpec": "RSA_2048", "kms:KeyUsage": "SIGN_VERIFY"}


def is_of_signing_keys(prod: Templates, role: Resource, statement: dict[str, Any]) -> bool:
    """Whether a statement covers every key by name, and by its conditions our signing keys only."""
    equal = statement.get("Condition", {}).get("StringEquals", {})
    tags = {
        name.partition("/")[2]: value
        for name, value in equal.items()
        if name.startswith(("aws:ResourceTag/", "aws:RequestTag/"))
    }
    named = [prod.words(role.stack, arn) for arn in listed(statement["Resource"])]
    return named == [SIGNING_KEYS] and tags == OURS


def is_of_our_objects(prod: Templates, role: Resource, statement: dict[str, Any]) -> bool:
    """Whether a statement is about the objects of one of our buckets: they get their names at run time."""
    objects = {f"arn:aws:s3:::{named(bucket)}-<AWS::AccountId>/*" for bucket in Bucket}
    spelled = not any("*" in action for action in listed(statement["Action"]))
    return spelled and {prod.words(role.stack, arn) for arn in listed(statement["Resource"])} <= objects


def allowed(prod: Templates, role: Resource) -> set[tuple[str, str]]:
    """Every (action, resource) that a role allows."""
    return {
        (action, prod.words(role.stack, resource))
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def resources_of(prod: Templates, permission: Permission) -> list[str]:  # noqa: C901  one case for each kind
    """The resources a permission of the catalog stands for, as the template names them."""
    match permission.resource:
        case Queue() as queue:
            found = [f"<AWS::SQS::Queue {named(queue)}>"]
        case Table() as table:
            name = f"<AWS::DynamoDB::Table {named(table)}>"
            found = [name, f"{name}/index/gsi1"] if table in INDEXED_TABLES else [name]
        case Bucket() as bucket:
            name = f"arn:aws:s3:::{named(bucket)}-<AWS::AccountId>"
            found = [name if permission.access is Access.LIST_OBJECTS else f"{name}/*"]
        case Key.SIGNING:
            found = ["*" if permission.access is Access.MAKE_KEY else SIGNING_KEYS]
        case Key() as key:
            keys = prod.all("AWS::KMS::Key")
            found = [str(made) for made in keys if made.id.startswith(f"{key.title()}Key")]
        case Secret.DATABASE_OWNER:
            found = ["<AWS::RDS::DBCluster rmap-prod-database>"]
        case Secret() as secret:
            found = [f"<AWS::SecretsManager::Secret rmap/prod/{secret}>"]
        case Callee() as callee:
            found = [f"arn:aws:lambda:us-east-1:<AWS::AccountId>:function:{named(callee)}:live"]
        case None if permission.access is Access.SEND_MAIL:
            found = [
                "arn:aws:ses:us-east-1:<AWS::AccountId>:identity/mail.rmap.example",
                "arn:aws:ses:us-east-1:<AWS::AccountId>:configuration-set/rmap-prod-mails",
            ]
        case None if permission.access is Access.PUBLISH:
            found = ["<AWS::Events::EventBus rmap-prod-events>"]
        case None:
            proxy = "<AWS::RDS::DBProxy rmap-prod-database>"
            found = [f"arn:aws:rds-db:us-east-1:<AWS::AccountId>:dbuser:{proxy}/rmap_app"]
    return found


@every_function
def test_a_function_may_do_what_its_row_says_and_nothing_else(prod: Templates, row: Function) -> None:
    name = named(row.name)
    expected = {
        (action, resource)
        for permission in catalog.permissions_of(row)
        for action in ACTIONS[permission.access]
        for resource in resources_of(prod, permission)
    }
    if row.has(Http):
        expected.add(("secretsmanager:GetSecretValue", "<AWS::SecretsManager::Secret rmap/prod/origin>"))
    log = f"<AWS::Logs::LogGroup /aws/lambda/{name}>"
    expected |= {("logs:CreateLogStream", log), ("logs:PutLogEvents", log)}
    expected |= {(action, "*") for action in XRAY}
    if row.reach is not Reach.INTERNET:
        expected |= {(action, "*") for action in NETWORK}
    role = prod.one("AWS::IAM::Role", name)
    assert allowed(prod, role) == expected
    assert "ManagedPolicyArns" not in role.properties


def test_no_role_has_a_wildcard_without_a_reason(prod: Templates) -> None:
    loose = [
        (str(resource), statement["Action"])
        for resource in prod.all()
        for statement in statements(resource)
        if statement["Effect"] == "Allow"
        and (
            any("*" in action for action in listed(statement["Action"]))
            or any("*" in prod.words(resource.stack, arn) for arn in listed(statement["Resource"]))
        )
        and not is_of_signing_keys(prod, resource, statement)
        and not is_of_our_objects(prod, resource, statement)
        and not any(frozenset(listed(statement["Action"])) <= known for known in (*UNSCOPED, XRAY | NETWORK))
    ]
    assert loose == []


def conditions(prod: Templates, function: str) -> dict[str, Any]:
    """The conditions of a function's rights to keys, by action."""
    return {
        action: statement.get("Condition")
        for statement in statements(prod.one("AWS::IAM::Role", named(function)))
        for action in listed(statement["Action"])
        if action.startswith("kms:")
    }


def test_rights_to_signing_keys_hold_for_our_signing_keys_only(prod: Templates) -> None:
    tagged = {f"aws:ResourceTag/{name}": value for name, value in OURS.items()}
    asked = {f"aws:RequestTag/{name}": value for name, value in OURS.items()}
    tend = {"StringEquals": tagged | KIND}
    assert conditions(prod, "auth")["kms:Sign"] == tend
    assert conditions(prod, "key_rotation") == {
        "kms:CreateKey": {"StringEquals": asked | KIND},
        # While it is made a key has no tags; one that has our stage's, like the data key, is given no other.
        "kms:TagResource": {"StringEquals": asked, "Null": {"aws:ResourceTag/rmap:stage": "true"}},
        **dict.fromkeys(("kms:DescribeKey", "kms:DisableKey", "kms:GetPublicKey", "kms:ScheduleKeyDeletion"), tend),
    }


def test_the_local_endpoint_judges_all_of_it_but_the_kind(local: Templates) -> None:
    for role in (local.one("AWS::IAM::Role", named(name, "local")) for name in ("auth", "key_rotation")):
        for statement in statements(role):
            equal = statement.get("Condition", {}).get("StringEquals", {})
            assert not set(equal) & set(KIND)
            if equal:
                assert {name.partition("/")[2]: value for name, value in equal.items()} == OURS | {
                    "rmap:stage": "local"
                }


def test_a_function_in_the_network_cannot_use_lambdas_right_to_make_interfaces(prod: Templates) -> None:
    for row in catalog.FUNCTIONS:
        if row.reach is Reach.INTERNET:
            continue
        role = prod.one("AWS::IAM::Role", named(row.name))
        denied = [frozenset(statement["Action"]) for statement in statements(role) if statement["Effect"] == "Deny"]
        assert denied == [NETWORK], row.name


def test_nothing_else_can_widen_a_role(prod: Templates) -> None:
    roles = {named(row.name) for row in catalog.FUNCTIONS}
    widened = [
        target.name
        for policy in prod.all("AWS::IAM::Policy")
        for reference in policy.properties["Roles"]
        if (target := prod.target(policy.stack, reference)) and target.name in roles
    ]
    assert widened == []


def test_a_resource_policy_that_lets_anyone_in_has_a_condition(prod: Templates) -> None:
    documents = ("PolicyDocument", "KeyPolicy")
    open_doors = [
        str(resource)
        for resource in prod.all()
        if not resource.type.startswith("AWS::IAM::")
        for document in documents
        for statement in resource.properties.get(document, {}).get("Statement", [])
        if statement["Effect"] == "Allow"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and not statement.get("Condition")
    ]
    assert open_doors == []


def test_only_this_account_may_start_a_function_by_role(prod: Templates) -> None:
    for role in prod.all("AWS::IAM::Role"):
        for statement in role.properties["AssumeRolePolicyDocument"]["Statement"]:
            assert set(statement["Principal"]) == {"Service"}, str(role)
