from __future__ import annotations

from infra.stacks.network import needed_doors
from tests.infra.templates import Templates


def test_there_is_no_way_out(prod: Templates) -> None:
    ways = {
        "AWS::EC2::NatGateway",
        "AWS::EC2::InternetGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::EIP",
        "AWS::EC2::Route",
        "AWS::EC2::EgressOnlyInternetGateway",
        "AWS::EC2::TransitGatewayAttachment",
        "AWS::EC2::VPCPeeringConnection",
    }
    assert [str(resource) for resource in prod.all() if resource.type in ways] == []


def test_no_subnet_gives_public_addresses(prod: Templates) -> None:
    subnets = prod.all("AWS::EC2::Subnet")
    assert len(subnets) == 3
    assert [str(subnet) for subnet in subnets if subnet.properties["MapPublicIpOnLaunch"]] == []


def test_the_database_stands_in_isolated_subnets_without_a_public_address(prod: Templates) -> None:
    instances = prod.all("AWS::RDS::DBInstance")
    assert len(instances) == 2
    assert [str(made) for made in instances if made.properties["PubliclyAccessible"] is not False] == []
    for group in prod.all("AWS::RDS::DBSubnetGroup"):
        for subnet in group.properties["SubnetIds"]:
            found = prod.target(group.stack, subnet)
            assert found is not None
            tags = {tag["Key"]: tag["Value"] for tag in found.properties["Tags"]}
            assert tags["aws-cdk:subnet-type"] == "Isolated"


def test_nothing_may_connect_from_an_address(prod: Templates) -> None:
    rules = [rule.properties for rule in prod.all("AWS::EC2::SecurityGroupIngress")]
    rules += [
        rule
        for group in prod.all("AWS::EC2::SecurityGroup")
        for rule in group.properties.get("SecurityGroupIngress", [])
    ]
    assert [rule for rule in rules if "CidrIp" in rule or "CidrIpv6" in rule] == []


def test_functions_reach_the_database_by_its_proxy_and_migrations_by_the_cluster(prod: Templates) -> None:
    doors = {
        (
            prod.words(rule.stack, rule.properties["SourceSecurityGroupId"]),
            prod.words(rule.stack, rule.properties["GroupId"]),
        )
        for rule in prod.all("AWS::EC2::SecurityGroupIngress")
        if rule.properties["FromPort"] == 5432
    }
    group = "<AWS::EC2::SecurityGroup {}>".format
    assert doors == {
        (group("Functions that may talk to the database."), group("The proxy of the database.")),
        (group("The proxy of the database."), group("The instances of the database.")),
        (group("The migrations, which talk to the cluster itself."), group("The instances of the database.")),
    }


def test_there_is_a_door_to_each_service_that_functions_in_the_network_use(prod: Templates) -> None:
    endpoints = prod.all("AWS::EC2::VPCEndpoint")
    interfaces = [made for made in endpoints if made.properties["VpcEndpointType"] == "Interface"]
    assert len(interfaces) == len(needed_doors())
    assert {made.properties["ServiceName"].rsplit(".", 1)[1] for made in interfaces} == {
        "sqs",
        "events",
        "kms",
        "secretsmanager",
        "lambda",
    }
    assert len(endpoints) - len(interfaces) == 2, "S3 (where a custom resource answers) and DynamoDB"


def test_a_door_opens_only_for_this_account(prod: Templates) -> None:
    for door in prod.all("AWS::EC2::VPCEndpoint"):
        if door.properties["VpcEndpointType"] == "Interface":
            (statement,) = door.properties["PolicyDocument"]["Statement"]
            assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
