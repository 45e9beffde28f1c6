"""The custom resource of a deployment: migrate, then say which revision the schema is at.

CloudFormation calls it with Create and Update (its property is a hash of the migrations) and with Delete, which
changes nothing: a schema is never taken down by a deployment.
"""

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from functions.migrations.runner import migrate
from tenant_context.kernel import Kernel
from tenant_context.postgres import open_connection
from tenant_context.settings import DatabaseSettings

kernel = Kernel("migrations")


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Answer the provider framework; an error fails, and so rolls back, the deployment."""
    with kernel.observability.invocation(context.aws_request_id, "migrations") as invocation:
        invocation.success = False
        if event["RequestType"] == "Delete":
            revision = "kept"
        else:
            with closing(open_connection(DatabaseSettings.load())) as connection:
                connection.autocommit = False
                before, revision = migrate(connection)
            invocation.keys.update(before=before, after=revision)
        invocation.success = True
    return {"PhysicalResourceId": "rmap-schema", "Data": {"Revision": revision}}
