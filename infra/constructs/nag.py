"""Exceptions to cdk-nag's rules, each with its reason, beside the construct they are about."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept one finding of one AwsSolutions rule below a construct, and say why.

    `rule` is as cdk-nag prints it without the pack's name: `SMG4`, or `IAM5[Resource::*]`.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=reason))
