"""A bare interpreter with what one function of the catalog ships, and the environment its row calls for."""

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from infra import catalog
from infra.assets import Assets
from infra.constructs import permissions
from infra.constructs.resources import DatabaseAccess, Resources, SecretHandle
from infra.settings import Stage, read_deployment
from infra.vocabulary import Bucket, Callee, Function, Queue, Secret, Table
from local.stack import Stack

API_URL = "https://api.example.com"
CLOSED_PORT = "1"
"""Nothing listens there: a handler that opened a connection when it is imported would say so."""
LAMBDA = {
    "AWS_REGION": "us-east-1",
    "LAMBDA_TASK_ROOT": "/var/task",
    "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
}
"""What Lambda tells every function; while one is imported, there is no trace yet."""

_PROGRAM = """
import sys
sys.dont_write_bytecode = True
runtime, *shipped, request = sys.argv[1:]
sys.path[:0] = shipped
sys.path.append(runtime)
import importlib, importlib.util, json
request = json.loads(request)
handler = importlib.import_module(request["module"]).handler
loaded = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
found = [name for name in request["ask"] if there(name)]
sys.stdout.flush()
print()
print(json.dumps({"callable": callable(handler), "loaded": loaded, "found": found}))
"""


@dataclass(frozen=True)
class Started:
    """What a handler's start came to."""

    handler_is_callable: bool
    loaded: dict[str, str | None]
    """Every module of the interpreter, and the file it came from."""
    found: list[str]
    """Which of the names asked for could be imported."""
    places: tuple[Path, ...]


def environment(row: Function, servers: Stack, stage: str) -> dict[str, str]:
    """What a stage's stacks would give the function, with the test instance's addresses, and what Lambda adds."""
    said = {"AWS_ENDPOINT_URL": servers.aws_endpoint_url, "RMAP_VERSION": "test", "RMAP_STAGE": stage}
    deployment = read_deployment({}, said)
    given = permissions.environment(row, deployment, _resources(deployment.stage), api_url=API_URL)
    return {**given, **servers.aws_environment(), **LAMBDA, "AWS_LAMBDA_FUNCTION_NAME": row.name}


def _resources(stage: Stage) -> Resources:
    """The names a row's permissions lead to; the secrets are the ones that the local cloud made."""
    secrets = {secret: SecretHandle(f"rmap/local/{secret.value}", "") for secret in Secret}
    return Resources(
        queues=cast("Any", {queue: SimpleNamespace(queue_url=f"{API_URL}/{queue}") for queue in Queue}),
        tables=cast("Any", {table: SimpleNamespace(table_name=f"rmap-local-{table}") for table in Table}),
        buckets={bucket: f"rmap-local-{bucket}" for bucket in Bucket},
        secrets=secrets,
        signing_keys_arn="arn:aws:kms:us-east-1:000000000000:key/*",
        field_key=cast("Any", SimpleNamespace(key_id="field-key")),
        bus=cast("Any", SimpleNamespace(event_bus_name="rmap-local-bus")),
        database=DatabaseAccess(
            host="127.0.0.1",
            reader_host="127.0.0.1",
            port=CLOSED_PORT,
            owner_host="127.0.0.1",
            owner_secret=secrets[Secret.DATABASE_OWNER],
            app_secret=secrets[Secret.DATABASE_APP] if stage.local else None,
            user_arn=None if stage.local else "arn:aws:rds-db:us-east-1:111122223333:dbuser:prx-1/rmap_app",
        ),
        topic=None,
        callees={
            callee: f"arn:aws:lambda:us-east-1:000000000000:function:rmap-test-{callee}:live" for callee in Callee
        },
        mail_identity="",
        origin_secrets=[SecretHandle(stage.secret(name), "") for name in stage.origin_secrets if stage.edge],
    )


def unpack(row: Function, assets: Assets, into: Path) -> tuple[Path, ...]:
    """What Lambda puts on the path: the zip at /var/task, then the layers at /opt/python."""
    task = into / "task"
    with zipfile.ZipFile(assets.functions[row.name].package) as zipped:
        zipped.extractall(task)
    kernel = into / "kernel"
    with zipfile.ZipFile(assets.layers[catalog.KERNEL_LAYER].package) as zipped:
        zipped.extractall(kernel)
    return (task, kernel / "python", *(assets.layers[name].path / "python" for name in row.layers))


def start(
    module: str, places: tuple[Path, ...], runtime: Path, variables: dict[str, str], *, ask: list[str]
) -> Started:
    """Import a handler with these places on the path and nothing else; a failure carries its last words."""
    request = json.dumps({"module": module, "ask": ask})
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(runtime), *map(str, places), request]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    return Started(answer["callable"], answer["loaded"], answer["found"], (*places, runtime))
