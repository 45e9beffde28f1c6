"""The whole local cloud as one thing: started, described, stopped.

`start()` is what `make up` and the tests call; it is safe to call again at any time and from many processes.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from local import doubles, tools
from local.cloud import CREDENTIALS, REGION, Cloud
from local.database import APP, NAME, OWNER, Database
from local.deploy import App, Deployment, put_secret
from local.errors import LocalError, disk_full, is_full
from local.instance import MAIN, TEST, Instance, read_json, write_json
from local.ports import HOST, Ports, choose, remembered
from local.processes import Server
from local.progress import Progress, Silent
from local.vault import Secrets, secrets_of

API_PATH = "/_aws/execute-api/rmap/local"
FREE_MEGABYTES = {MAIN: 1_000, TEST: 500}


@dataclass(frozen=True)
class Stack:
    """The addresses and keys of a running local cloud."""

    instance: Instance
    api_url: str
    docs_url: str
    websocket_url: str | None
    database_url: str
    database_app_url: str
    database_admin_url: str
    aws_endpoint_url: str
    webhook_receiver_url: str
    stripe_url: str
    stripe_api_key: str
    outside_url: str
    operator_secret: str
    deployed: bool
    """Whether this start deployed something."""

    def aws_environment(self) -> dict[str, str]:
        """What boto3 or the AWS command line needs to reach the endpoint."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.aws_endpoint_url, "AWS_DEFAULT_REGION": REGION}

    def client(self, service: str) -> Any:
        """A boto3 client of the endpoint."""
        return self.cloud.client(service)

    @property
    def cloud(self) -> Cloud:
        """The endpoint."""
        return Cloud(self.instance, int(self.aws_endpoint_url.rpartition(":")[2]))

    def description(self, demo_users: list[dict[str, str]]) -> dict[str, Any]:
        """What `.rmap/local.json` says."""
        return {
            "api_url": self.api_url,
            "docs_url": self.docs_url,
            "websocket_url": self.websocket_url,
            "database_url": self.database_url,
            "database_app_url": self.database_app_url,
            "database_admin_url": self.database_admin_url,
            "aws_endpoint_url": self.aws_endpoint_url,
            "aws_region": REGION,
            "webhook_receiver_url": self.webhook_receiver_url,
            "stripe_url": self.stripe_url,
            "stripe_api_key": self.stripe_api_key,
            "outside_url": self.outside_url,
            "operator_secret": self.operator_secret,
            "demo_users": demo_users,
        }


@dataclass(frozen=True)
class Servers:
    """The servers of an instance, in the order they start."""

    database: Database
    cloud: Cloud
    stripe: Server
    receiver: Server
    outside: Server

    @classmethod
    def of(cls, instance: Instance, ports: Ports, secrets: Secrets) -> "Servers":
        """The servers on these ports."""
        return cls(
            Database(instance, ports.database, secrets),
            Cloud(instance, ports.aws),
            doubles.stripe_server(instance, ports.stripe, secrets.stripe_api_key),
            doubles.receiver_server(instance, ports.receiver),
            doubles.outside_server(instance, ports.outside),
        )

    def all(self) -> dict[str, Server]:
        """By the names of `Ports`."""
        return {
            "database": self.database.server,
            "aws": self.cloud.server,
            "stripe": self.stripe,
            "receiver": self.receiver,
            "outside": self.outside,
        }


def start(
    instance: Instance | str = TEST,
    *,
    progress: Progress | None = None,
    app: App | None = None,
    deploy: bool = True,
    wait: bool = True,
) -> Stack:
    """Bring an instance up to date and return its addresses.

    Args:
        instance: Which one, by name or as made by `Instance.of`.
        progress: Where steps are shown; silent by default.
        app: The CDK app; the platform's own by default.
        deploy: False starts the servers only.
        wait: Wait for another start of the same instance, instead of refusing.

    Raises:
        LocalError: With a sentence and a way out; nothing that was stored is lost.
    """
    instance = Instance.of(instance) if isinstance(instance, str) else instance
    progress = progress or Silent()
    try:
        with instance.lock(wait=wait):
            return _start(instance, progress, app or App(), deploy=deploy)
    except OSError as error:
        if is_full(error):
            raise disk_full(instance.home) from error
        raise


def _start(instance: Instance, progress: Progress, app: App, *, deploy: bool) -> Stack:
    with progress.step("Check this machine"):
        tools.check()
        needed = int(os.environ.get("RMAP_MIN_FREE_MB", FREE_MEGABYTES.get(instance.name, FREE_MEGABYTES[TEST])))
        tools.check_space(instance.home, needed)
        instance.make_folders()
    with progress.step("Install the CDK command line") as notes:
        if not tools.install(instance):
            notes.skip("there already")
    servers = _servers(instance)
    with progress.step("Install the AWS endpoint") as notes:
        if not servers.cloud.prepare():
            notes.skip("there already")
    _start_servers(servers, progress)
    stack = _describe(instance, servers, deployed=False)
    with progress.step("Hand over secrets"):
        _hand_over(instance, servers, stack)
    if deploy:
        settings = {
            "RMAP_STAGE": "local",
            "RMAP_LOCAL_DATABASE_HOST": HOST,
            "RMAP_LOCAL_DATABASE_PORT": str(servers.database.port),
            "RMAP_LOCAL_STRIPE_URL": stack.stripe_url,
            "RMAP_LOCAL_OUTSIDE_URL": stack.outside_url,
            "AWS_ENDPOINT_URL": stack.aws_endpoint_url,
        }
        deployed = Deployment(instance, servers.cloud, app, settings).run(progress)
        stack = _describe(instance, servers, deployed=deployed)
    users = read_json(instance.description).get("demo_users", [])
    write_json(instance.description, stack.description(users if isinstance(users, list) else []))
    return stack


def _servers(instance: Instance) -> Servers:
    """The servers on last time's ports where they run, else on ports that are free now."""
    secrets, before = secrets_of(instance), remembered(instance)
    running: dict[str, bool] = {}
    if before:
        servers = Servers.of(instance, before, secrets).all()
        running = {name: server.process() is not None for name, server in servers.items()}
    return Servers.of(instance, choose(instance, running), secrets)


def _start_servers(servers: Servers, progress: Progress) -> None:
    fresh = not servers.database.exists
    with progress.step("Start PostgreSQL") as notes:
        if not servers.database.start():
            notes.skip("running")
    if fresh:  # an endpoint beside it believes in a migrated one
        servers.cloud.begin_anew()
    for title, server in (
        ("Stripe stand-in", servers.stripe),
        ("webhook receiver", servers.receiver),
        ("stand-in for DNS and breached passwords", servers.outside),
    ):
        with progress.step(f"Start the {title}") as notes:
            if not server.start():
                notes.skip("running")
    with progress.step("Start the AWS endpoint") as notes:
        if not servers.cloud.start():
            notes.skip("running")


def _describe(instance: Instance, servers: Servers, *, deployed: bool) -> Stack:
    ports = remembered(instance)
    if ports is None:
        raise LocalError(f"The instance {instance.name} was never started.", "start it with `make up`.")
    secrets, database, api_url = secrets_of(instance), servers.database, servers.cloud.url + API_PATH
    return Stack(
        instance=instance,
        api_url=api_url,
        docs_url=f"{api_url}/docs",
        websocket_url=None,
        database_url=database.url(OWNER),
        database_app_url=database.url(APP),
        database_admin_url=database.admin_url(),
        aws_endpoint_url=servers.cloud.url,
        webhook_receiver_url=f"http://{HOST}:{ports.receiver}",
        stripe_url=f"http://{HOST}:{ports.stripe}",
        stripe_api_key=secrets.stripe_api_key,
        outside_url=f"http://{HOST}:{ports.outside}",
        operator_secret=secrets.operator,
        deployed=deployed,
    )


def _hand_over(instance: Instance, servers: Servers, stack: Stack) -> None:
    """Put what functions may know into the endpoint's Secrets Manager, before anything is deployed."""
    secrets, port = secrets_of(instance), int(stack.stripe_url.rpartition(":")[2])
    webhook = doubles.register_webhook(instance, port, secrets.stripe_api_key, stack.api_url)
    values = {
        "database/owner": json.dumps({"username": OWNER, "password": secrets.rmap_owner, "dbname": NAME}),
        "database/app": json.dumps({"username": APP, "password": secrets.rmap_app, "dbname": NAME}),
        "pepper": secrets.pepper,
        "operator": secrets.operator,
        "inbound": json.dumps(
            {
                "meta_app_secret": secrets.meta_app_secret,
                "meta_verify_token": secrets.meta_verify_token,
                "tiktok_client_secret": secrets.tiktok_client_secret,
                "google_audience": f"{stack.api_url}/api/v1/inbound/google",
                "google_service_account": "push@rmap-local.iam.gserviceaccount.com",
            }
        ),
        "stripe": json.dumps({"api_key": secrets.stripe_api_key, "webhook_secret": webhook}),
    }
    for name, value in values.items():
        put_secret(servers.cloud, f"rmap/local/{name}", value)


def stop(instance: Instance | str = TEST, *, progress: Progress | None = None, wait: bool = True) -> bool:
    """Stop every server of an instance, keeping all it stored; whether any ran."""
    instance = Instance.of(instance) if isinstance(instance, str) else instance
    progress = progress or Silent()
    ports = remembered(instance)
    if ports is None:
        return False
    stopped = False
    with instance.lock(wait=wait):
        servers = Servers.of(instance, ports, secrets_of(instance)).all()
        for name in ("aws", "stripe", "receiver", "outside", "database"):
            with progress.step(f"Stop {servers[name].name}") as notes:
                if servers[name].stop():
                    stopped = True
                else:
                    notes.skip("not running")
    return stopped


def status(instance: Instance) -> list[tuple[str, int | None, int, bool]]:
    """Name, process id (None when down), port, and whether it answers, of every server."""
    ports = remembered(instance)
    if ports is None:
        return []
    found = []
    for name, server in Servers.of(instance, ports, secrets_of(instance)).all().items():
        process = server.process()
        found.append((server.name, process.pid if process else None, getattr(ports, name), server.healthy()))
    return found
