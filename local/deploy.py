"""`cdk deploy` of the platform's own stacks against the local endpoint, and only when something changed."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from infra import local_fixups
from local import orphans
from local.cloud import ACCOUNT, REGION, Cloud
from local.errors import LocalError, disk_full, says_full
from local.fixups import mend
from local.instance import ROOT, Instance
from local.progress import Progress

# Everything a synthesis reads; bench, tests and the local cloud itself change nothing that is deployed.
INPUTS = (
    "infra",
    "functions",
    "shared",
    "layers",
    "requirements",
    "docs/api",
    "cdk.json",
    "package-lock.json",
    "pyproject.toml",
)
MARK = "/rmap/local/deployed"
_IGNORED = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
_BOOTSTRAPPED = "/cdk-bootstrap/hnb659fds/version"
_LAST_LINES = 25


def _cap_copies(cloud: Cloud) -> None:
    local_fixups.cap_copies(cloud.client("lambda"))


@dataclass(frozen=True)
class App:
    """A CDK app to deploy: the platform's own, or a small one in tests."""

    command: tuple[str, ...] = (sys.executable, "-m", "infra.app")
    root: Path = ROOT
    inputs: tuple[str, ...] = INPUTS
    afterwards: Callable[[Cloud], None] = _cap_copies
    """What this app needs set by API, beyond what its templates state."""


@dataclass(frozen=True)
class Deployment:
    """One deployment of an app to an instance's endpoint."""

    instance: Instance
    cloud: Cloud
    app: App
    settings: Mapping[str, str]
    """RMAP_… variables that tell the app where the servers are; they count as input."""

    @property
    def _out(self) -> Path:
        return self.instance.folder / "cdk.out"

    @property
    def _log(self) -> Path:
        return self.instance.logs / "deploy.log"

    def run(self, progress: Progress) -> bool:
        """Synthesize and deploy what changed; whether anything was deployed."""
        digest = self.digest()
        with progress.step("Deploy with CDK") as notes:
            if self.deployed() == digest:
                notes.skip("nothing changed")
                return False
            self._log.write_text("")
            if self.deployed() is None:
                self.cloud.begin_first_deploy()
                notes.text = "new"
            else:
                notes.text = "changed"
            aside = self.instance.state / "s3.aside"
            if self.cloud.was_killed or self._parameter(_BOOTSTRAPPED) is None:
                orphans.set_aside(self.cloud, aside)
            self._bootstrap()
            self._synthesize(digest)
            self._cdk("deploy", "--all", "--app", str(self._out), "--require-approval", "never", "--progress", "events")
            mend(self.cloud, self._out)
            self.app.afterwards(self.cloud)
            orphans.restore(self.cloud, aside)
            self.cloud.forget_kill()
            ssm = self.cloud.client("ssm")
            ssm.put_parameter(Name=MARK, Value=digest, Type="String", Overwrite=True)
            self.cloud.end_first_deploy()
        return True

    def digest(self) -> str:
        """A hash of everything the deployment is made of."""
        found = hashlib.sha256(json.dumps([sys.version, sorted(self.settings.items())]).encode())
        for path in sorted(_files(self.app.root, self.app.inputs)):
            found.update(str(path.relative_to(self.app.root)).encode() + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
        return found.hexdigest()

    def deployed(self) -> str | None:
        """The hash of what the endpoint holds; None when it holds nothing, or lost it."""
        return self._parameter(MARK)

    def _parameter(self, name: str) -> str | None:
        try:
            value: str = self.cloud.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        except ClientError:
            return None
        return value

    def _bootstrap(self) -> None:
        if self._parameter(_BOOTSTRAPPED) is None:
            self._cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}")

    def _synthesize(self, digest: str) -> None:
        mark = self._out / ".digest"
        if mark.exists() and mark.read_text() == digest:
            return
        shutil.rmtree(self._out, ignore_errors=True)
        self._run([*self.app.command], {"CDK_OUTDIR": str(self._out)}, "The CDK app could not be synthesized.")
        mark.write_text(digest)

    def _cdk(self, command: str, *arguments: str) -> None:
        program = str(ROOT / "node_modules" / ".bin" / "cdk")
        # Away from cdk.json, whose app the command line would run once more.
        self._run([program, command, *arguments, "--ci"], {}, f"`cdk {command}` failed.", folder=self.instance.folder)

    def _run(self, command: list[str], more: Mapping[str, str], failure: str, folder: Path | None = None) -> None:
        environment = {
            **self.cloud.command_environment(),
            "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
            "CDK_DISABLE_CLI_TELEMETRY": "1",
            "NO_COLOR": "1",
            **self.settings,
            **more,
        }
        with self._log.open("ab") as log:
            done = subprocess.run(
                command,
                cwd=folder or self.app.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode == 0:
            return
        lines = self._log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        said = "\n".join(f"    {line}" for line in lines)
        if says_full(said):
            raise disk_full(self.instance.folder)
        raise LocalError(failure, f"read {self._log} (its end is below), then run the command again.", said)


def _files(root: Path, inputs: Iterable[str]) -> Iterable[Path]:
    for name in inputs:
        place = root / name
        if place.is_file():
            yield place
        for folder, folders, names in os.walk(place):
            folders[:] = [inner for inner in folders if inner not in _IGNORED]
            yield from (Path(folder) / found for found in names if not found.endswith(".pyc"))


def put_secret(cloud: Cloud, name: str, value: str) -> None:
    """Create a secret, or give it this value; one that holds it already is left alone."""
    client = cloud.client("secretsmanager")
    with contextlib.suppress(client.exceptions.ResourceNotFoundException):
        if client.get_secret_value(SecretId=name)["SecretString"] != value:
            client.put_secret_value(SecretId=name, SecretString=value)
        return
    client.create_secret(Name=name, SecretString=value)
