"""What holds data is encrypted, recoverable and hard to delete; what holds messages loses none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra import catalog
from infra.vocabulary import INDEXED_TABLES, Queue, Table
from tenant_context.entry.origin import HEADER
from tests.infra.templates import Resource, Templates, named

STATEFUL = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::KMS::Key",
    "AWS::RDS::DBCluster",
    "AWS::RDS::DBInstance",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
}
"""What must stay when its stack goes."""


@pytest.mark.parametrize("table", Table)
def test_a_table_is_encrypted_recoverable_and_forgets(prod: Templates, table: Table) -> None:
    made = prod.one("AWS::DynamoDB::Table", named(table))
    properties = made.properties
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"]["SSEType"] == "KMS"
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert properties["DeletionProtectionEnabled"] is True
    indexes = [index["IndexName"] for index in properties.get("GlobalSecondaryIndexes", [])]
    assert indexes == (["gsi1"] if table in INDEXED_TABLES else [])


def test_archives_are_encrypted_shut_and_forgotten(prod: Templates) -> None:
    (made,) = [bucket for bucket in prod.all("AWS::S3::Bucket") if bucket.id.startswith("BucketExports")]
    (rule,) = made.properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert set(made.properties["PublicAccessBlockConfiguration"].values()) == {True}
    (lifecycle,) = made.properties["LifecycleConfiguration"]["Rules"]
    assert lifecycle["ExpirationInDays"] == 7
    assert lifecycle["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 2}
    (policy,) = [
        policy
        for policy in prod.all("AWS::S3::BucketPolicy")
        if prod.target(policy.stack, policy.properties["Bucket"]) == made
    ]
    refused = [said for said in policy.properties["PolicyDocument"]["Statement"] if said["Effect"] == "Deny"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [statement["Condition"] for statement in refused]


def test_there_are_no_other_tables(prod: Templates) -> None:
    assert {made.name for made in prod.all("AWS::DynamoDB::Table")} == {named(table) for table in Table}


def test_data_stays_when_its_resource_leaves_the_template(prod: Templates) -> None:
    held = [resource for resource in prod.all() if resource.type in STATEFUL]
    assert {resource.type for resource in held} == STATEFUL
    lost = [
        str(resource)
        for resource in held
        if (resource.body.get("DeletionPolicy"), resource.body.get("UpdateReplacePolicy")) != ("Retain", "Retain")
        and resource.type != "AWS::RDS::DBInstance"  # the cluster holds the data
    ]
    assert lost == []


def test_a_stack_that_holds_data_refuses_to_be_deleted(prod: Templates) -> None:
    holding = {resource.stack for resource in prod.all() if resource.type in STATEFUL}
    assert holding == {"data", "messaging", "database", "edge"}
    assert holding <= prod.protected()


def test_the_database_is_encrypted_recoverable_and_protected(prod: Templates) -> None:
    (cluster,) = prod.all("AWS::RDS::DBCluster")
    properties = cluster.properties
    assert (properties["Engine"], properties["EngineVersion"]) == ("aurora-postgresql", "18.6")
    assert properties["StorageEncrypted"] is True
    assert "KmsKeyId" in properties
    assert properties["BackupRetentionPeriod"] == 35
    assert properties["DeletionProtection"] is True
    assert properties["EnableIAMDatabaseAuthentication"] is True
    assert properties["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert properties["PerformanceInsightsEnabled"] is True


def test_nobody_knows_the_database_owners_password_and_rds_changes_it(prod: Templates) -> None:
    (cluster,) = prod.all("AWS::RDS::DBCluster")
    assert cluster.properties["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in cluster.properties


def test_the_proxy_takes_iam_and_tls_only_from_end_to_end(prod: Templates) -> None:
    (proxy,) = prod.all("AWS::RDS::DBProxy")
    assert proxy.properties["RequireTLS"] is True
    assert proxy.properties["DefaultAuthScheme"] == "IAM_AUTH"
    assert "Auth" not in proxy.properties, "no secret: rmap_app has no password"
    (reader,) = prod.all("AWS::RDS::DBProxyEndpoint")
    assert reader.properties["TargetRole"] == "READ_ONLY"


def test_the_cluster_refuses_connections_without_tls(prod: Templates) -> None:
    (parameters,) = prod.all("AWS::RDS::DBClusterParameterGroup")
    assert parameters.properties["Parameters"]["rds.force_ssl"] == "1"


def test_people_hear_of_pinned_sessions(prod: Templates) -> None:
    metrics = {bell.properties["MetricName"] for bell in prod.all("AWS::CloudWatch::Alarm")}
    assert "DatabaseConnectionsCurrentlySessionPinned" in metrics


def test_keys_of_the_template_rotate_by_themselves(prod: Templates) -> None:
    for key in prod.all("AWS::KMS::Key"):
        assert key.properties["EnableKeyRotation"] is True, str(key)


def alarms_on(templates: Templates, queue: Resource) -> set[str]:
    return {
        bell.properties["MetricName"]
        for bell in templates.all("AWS::CloudWatch::Alarm")
        for dimension in bell.properties.get("Dimensions", [])
        if dimension["Name"] == "QueueName"
        and bell.properties["AlarmActions"]
        and templates.target(bell.stack, dimension["Value"]) == queue
    }


@pytest.mark.parametrize("queue", Queue)
def test_a_queue_has_a_dead_letter_queue_and_alarms_on_both(prod: Templates, queue: Queue) -> None:
    made = prod.one("AWS::SQS::Queue", named(queue))
    redrive: dict[str, Any] = made.properties["RedrivePolicy"]
    dead_letters = prod.target(made.stack, redrive["deadLetterTargetArn"])
    assert dead_letters is not None
    assert (dead_letters.name, redrive["maxReceiveCount"]) == (f"{named(queue)}-dlq", 5)
    assert alarms_on(prod, dead_letters) == {"ApproximateNumberOfMessagesVisible"}
    assert alarms_on(prod, made) == {"ApproximateAgeOfOldestMessage"}


@pytest.mark.parametrize("queue", Queue)
def test_a_message_stays_hidden_for_six_timeouts_of_its_consumer(prod: Templates, queue: Queue) -> None:
    made = prod.one("AWS::SQS::Queue", named(queue))
    assert made.properties["VisibilityTimeout"] >= 6 * catalog.consumers()[queue].timeout_s


def test_every_queue_is_encrypted_and_every_dead_letter_queue_is_watched(prod: Templates) -> None:
    queues = prod.all("AWS::SQS::Queue")
    assert [str(made) for made in queues if made.properties["SqsManagedSseEnabled"] is not True] == []
    unwatched = [str(made) for made in queues if not alarms_on(prod, made)]
    assert unwatched == []


def test_a_bad_message_does_not_hold_up_its_batch(prod: Templates) -> None:
    for source in prod.all("AWS::Lambda::EventSourceMapping"):
        assert source.properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_what_a_service_cannot_deliver_is_kept(prod: Templates) -> None:
    for schedule in prod.all("AWS::Scheduler::Schedule"):
        assert "Arn" in schedule.properties["Target"]["DeadLetterConfig"]
    for rule in prod.all("AWS::Events::Rule"):
        assert [target for target in rule.properties["Targets"] if "DeadLetterConfig" not in target] == []


def test_what_the_bus_gives_a_queue_is_of_its_tenants_message_group(prod: Templates, local: Templates) -> None:
    for rule in (*prod.all("AWS::Events::Rule"), *local.all("AWS::Events::Rule")):
        groups = [target["SqsParameters"]["MessageGroupId"] for target in rule.properties["Targets"]]
        assert groups == ["$.detail.tenant"]


def test_every_event_is_kept_for_replay(prod: Templates) -> None:
    (archive,) = prod.all("AWS::Events::Archive")
    assert archive.properties["RetentionDays"] == 90


def test_the_api_logs_every_call_and_limits_them(prod: Templates) -> None:
    (stage,) = prod.all("AWS::ApiGatewayV2::Stage")
    assert {"requestId", "status", "latency"} <= set(_format(stage))
    assert stage.properties["DefaultRouteSettings"]["ThrottlingRateLimit"] == 2000


def _format(stage: Resource) -> list[str]:
    return list(json.loads(stage.properties["AccessLogSettings"]["Format"]))


def test_the_firewall_stands_in_front_of_the_api(prod: Templates) -> None:
    (distribution,) = prod.all("AWS::CloudFront::Distribution")
    config = distribution.properties["DistributionConfig"]
    firewall = prod.target(distribution.stack, config["WebACLId"])
    assert firewall is not None
    assert firewall.type == "AWS::WAFv2::WebACL"
    (origin,) = config["Origins"]
    (header,) = origin["OriginCustomHeaders"]
    assert header["HeaderName"].lower() == HEADER
    assert "<AWS::SecretsManager::Secret rmap/prod/origin>" in prod.words(distribution.stack, header["HeaderValue"])
    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    rules = {rule["Name"] for rule in firewall.properties["Rules"]}
    assert {"rate", "AWSManagedRulesCommonRuleSet"} <= rules
