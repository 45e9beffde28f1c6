"""The domain that mails are sent from, and the topic on which SES tells what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_ses as ses
from aws_cdk import aws_sns as sns

from infra.settings import REGION

if TYPE_CHECKING:
    from infra.stacks.data import DataStack

_TOPIC = "mail-events"
_TOLD = ("bounce", "complaint")
"""What SES tells of; deliveries would be one post for each mail, and nobody works on them."""


@dataclass(frozen=True, slots=True)
class Mail:
    """The ARNs that functions are given; empty where the stage has no such thing."""

    identity: str
    configuration: str
    topic: str

    @classmethod
    def within(cls, stack: DataStack) -> Mail:
        """The identity, with its DKIM records as outputs, for its DNS; in an account, the topic as well."""
        identity = ses.CfnEmailIdentity(stack, "MailDomain", email_identity=stack.deployment.mail_domain)
        identity.apply_removal_policy(stack.keep)
        if stack.data_key is None:
            # The local endpoint judges the right to send without its resource, and tells nothing of mails.
            return cls("*", "", f"arn:aws:sns:{REGION}:000000000000:{stack.stage.named(_TOPIC)}")
        topic = _topic(stack, stack.data_key)
        told = ses.CfnConfigurationSet(stack, "MailsTold", name=stack.stage.named("mails"))
        ses.CfnConfigurationSetEventDestination(
            stack,
            "MailsToldOut",
            configuration_set_name=told.ref,
            event_destination=ses.CfnConfigurationSetEventDestination.EventDestinationProperty(
                name="inbox",
                enabled=True,
                matching_event_types=list(_TOLD),
                sns_destination=ses.CfnConfigurationSetEventDestination.SnsDestinationProperty(
                    topic_arn=topic.topic_arn
                ),
            ),
        )
        # Every mail of the domain goes by it, whoever sends it.
        identity.configuration_set_attributes = ses.CfnEmailIdentity.ConfigurationSetAttributesProperty(
            configuration_set_name=told.ref
        )
        for number in ("1", "2", "3"):
            name = identity.get_att(f"DkimDNSTokenName{number}").to_string()
            value = identity.get_att(f"DkimDNSTokenValue{number}").to_string()
            stack.tell(f"MailRecord{number}", f"{name} CNAME {value}")
        return cls(
            stack.format_arn(service="ses", resource="identity", resource_name=stack.deployment.mail_domain),
            stack.format_arn(service="ses", resource="configuration-set", resource_name=stack.stage.named("mails")),
            topic.topic_arn,
        )


def _topic(stack: DataStack, key: kms.Key) -> sns.Topic:
    ours = {"StringEquals": {"aws:SourceAccount": stack.account}}
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="MailsToTheTopic",
            principals=[iam.ServicePrincipal("ses.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions=ours,
        )
    )
    topic = sns.Topic(
        stack,
        "MailEvents",
        topic_name=stack.stage.named(_TOPIC),
        master_key=key,
        enforce_ssl=True,
        signature_version="2",
    )
    topic.add_to_resource_policy(
        iam.PolicyStatement(
            sid="SesOfThisAccount",
            principals=[iam.ServicePrincipal("ses.amazonaws.com")],
            actions=["sns:Publish"],
            resources=[topic.topic_arn],
            conditions=ours,
        )
    )
    return topic
