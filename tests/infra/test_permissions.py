"""The prod template holds exactly what the catalog grants; new rows are covered by themselves."""

from __future__ import annotations

import pytest

from infra import catalog
from infra.vocabulary import (
    ACTIONS,
    INDEXED_TABLES,
    Access,
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
UNSCOPED = {
    XRAY: "X-Ray has no resources that a policy could name.",
    NETWORK: "Lambda makes network interfaces before they have a name; the function's own code is denied this.",
}
"""Every permission on all resources that any role of the platform has, and why."""


def allowed(prod: Templates, role: Resource) -> set[tuple[str, str]]:
    """Every (action, resource) that a role allows."""
    return {
        (action, prod.words(role.stack, resource))
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for action in listed(statement["Action"])
        for resource in listed(statement["Resource"])
    }


def resources_of(prod: Templates, permission: Permission) -> list[str]:
    """The resources a permission of the catalog stands for, as the template names them."""
    match permission.resource:
        case Queue() as queue:
            found = [f"<AWS::SQS::Queue {named(queue)}>"]
        case Table() as table:
            name = f"<AWS::DynamoDB::Table {named(table)}>"
            found = [name, f"{name}/index/gsi1"] if table in INDEXED_TABLES else [name]
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
            found = ["arn:aws:ses:us-east-1:<AWS::AccountId>:identity/mail.rmap.example"]
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
        and not any(frozenset(listed(statement["Action"])) <= known for known in (*UNSCOPED, XRAY | NETWORK))
    ]
    assert loose == []


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
