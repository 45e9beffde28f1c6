"""Lets tests ask synthesized templates in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# The property that gives a resource the name by which people know it.
NAMES = (
    "FunctionName", "QueueName", "TableName", "LogGroupName", "RoleName", "DBClusterIdentifier", "DBProxyName",
    "DBProxyEndpointName", "TopicName", "Name", "GroupDescription",
)  # fmt: skip


@dataclass(frozen=True)
class Resource:
    """A resource of some stack."""

    stack: str
    id: str
    body: Json

    @property
    def type(self) -> str:
        return str(self.body["Type"])

    @property
    def properties(self) -> Json:
        found: Json = self.body.get("Properties", {})
        return found

    @property
    def name(self) -> str:
        for key in NAMES:
            if isinstance(self.properties.get(key), str):
                return str(self.properties[key])
        return self.id

    def __str__(self) -> str:
        return f"<{self.type} {self.name}>"


class Templates:
    """Every template of a synthesized stage, with references followed across stacks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = sorted(folder.glob("*.template.json"))
        self.bodies: dict[str, Json] = {
            file.name.removesuffix(".template.json"): json.loads(file.read_text()) for file in self.files
        }
        self._exports = {
            output["Export"]["Name"]: (stack, output["Value"])
            for stack, body in self.bodies.items()
            for output in body.get("Outputs", {}).values()
            if "Export" in output
        }

    def violations(self) -> list[Any]:
        """What cdk-nag and the CDK's own rules found; a judge who found nothing is not named."""
        reports = json.loads((self.folder / "validation-report.json").read_text())["pluginReports"]
        return [violation for report in reports for violation in report["violations"]]

    def protected(self) -> set[str]:
        """The stacks that refuse to be deleted."""
        artifacts = json.loads((self.folder / "manifest.json").read_text())["artifacts"]
        return {name for name, made in artifacts.items() if made.get("properties", {}).get("terminationProtection")}

    def all(self, kind: str | None = None) -> list[Resource]:
        """Every resource, or those of one type."""
        return [
            Resource(stack, key, body)
            for stack, template in self.bodies.items()
            for key, body in template["Resources"].items()
            if kind in {None, body["Type"]}
        ]

    def one(self, kind: str, name: str) -> Resource:
        """The resource of a type that bears a name."""
        found = [resource for resource in self.all(kind) if resource.name == name]
        assert len(found) == 1, f"{len(found)} resources of type {kind} are called {name}"
        return found[0]

    def get(self, stack: str, key: str) -> Resource:
        """A resource by its place."""
        return Resource(stack, key, self.bodies[stack]["Resources"][key])

    def target(self, stack: str, value: Any) -> Resource | None:
        """The resource that a Ref, GetAtt or import leads to."""
        match value:
            case {"Fn::ImportValue": str(name)}:
                return self.target(*self._exports[name])
            case {"Ref": str(key)} | {"Fn::GetAtt": [str(key), *_]} if key in self.bodies[stack]["Resources"]:
                return self.get(stack, key)
        return None

    def words(self, stack: str, value: Any) -> str:
        """A template value as one string, with `<type name>` for each resource it mentions."""
        match value:
            case str():
                return value
            case {"Fn::Join": [separator, list(parts)]}:
                return str(separator).join(self.words(stack, part) for part in parts)
            case {"Fn::Select": [_, inner]} | {"Fn::Split": [_, inner]}:
                return self.words(stack, inner)
            case {"Ref": str(key)} if key.startswith("AWS::"):
                return f"<{key}>"
        found = self.target(stack, value)
        assert found is not None, f"cannot follow {value} of {stack}"
        return str(found)


def listed(value: Any) -> list[Any]:
    """IAM allows one thing where it allows a list."""
    return value if isinstance(value, list) else [value]


def statements(resource: Resource) -> Iterator[Json]:
    """The statements of what a role or policy may do."""
    if resource.type == "AWS::IAM::Role":
        for policy in resource.properties.get("Policies", []):
            yield from policy["PolicyDocument"]["Statement"]
    elif resource.type in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
        yield from resource.properties["PolicyDocument"]["Statement"]


def named(name: str, stage: str = "prod") -> str:
    """How a stage calls a function, queue or table of the catalog."""
    return f"rmap-{stage}-{name.replace('_', '-')}"
