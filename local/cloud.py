"""The local AWS endpoint: ministack in an environment of its own, so that functions see only their bundle."""

import fcntl
import hashlib
import http.client
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config

from local.errors import LocalError, disk_full, says_full
from local.instance import ROOT, Instance
from local.ports import HOST
from local.processes import Server, minimal_environment

REGION = "us-east-1"
ACCOUNT = "000000000000"
LOCK = ROOT / "requirements" / "cloud.txt"
# The endpoint's own root user; the only thing these open is this machine's loopback interface.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_GIBIBYTE = 1 << 30
_OK = 200


class Cloud:
    """One instance's endpoint."""

    def __init__(self, instance: Instance, port: int) -> None:
        self._instance = instance
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self._venv = instance.home / "cloud-venv"
        self._temporary = instance.folder / "tmp"
        self.server = Server(
            name="aws",
            instance=instance,
            # -X sets nothing; it puts the instance's folder into the command line.
            command=[str(self._venv / "bin" / "python"), "-X", f"rmap={instance.folder}", "-m", "ministack"],
            healthy=self._answers,
            environment=self._environment(),
            stop_seconds=60,
        )

    def _environment(self) -> dict[str, str]:
        state = self._instance.state
        return {
            **minimal_environment(self._temporary),
            **CREDENTIALS,
            "AUTH": "true",
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "PERSIST_STATE": "1",
            "STATE_DIR": str(state / "aws"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(state / "s3"),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
            "LAMBDA_EXECUTOR": "local",
            "LAMBDA_ACCOUNT_CONCURRENCY": str(_concurrency()),
            # Whatever containers run on this machine are none of the endpoint's business.
            "DOCKER_HOST": "unix:///nonexistent",
        }

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/_ministack/ready")
            return connection.getresponse().status == _OK
        except OSError:
            return False
        finally:
            connection.close()

    def prepare(self) -> bool:
        """Install the endpoint's environment from its hashed lock, if it is not there; whether it was done."""
        mark, wanted = self._venv / ".installed", hashlib.sha256(LOCK.read_bytes()).hexdigest()
        self._instance.home.mkdir(parents=True, exist_ok=True)
        with (self._instance.home / "cloud-venv.lock").open("w") as guard:
            fcntl.flock(guard, fcntl.LOCK_EX)
            if mark.exists() and mark.read_text() == wanted:
                return False
            if not (self._venv / "bin" / "python").exists():
                _uv("venv", "--quiet", "--allow-existing", "--python", sys.executable, str(self._venv))
            python = str(self._venv / "bin" / "python")
            _uv("pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", python, str(LOCK))
            mark.write_text(wanted)
        return True

    def start(self) -> bool:
        """Start unless running; whether it was started. What a killed endpoint left behind is cleared away.

        One that went down while it was deployed to for the first time begins anew: it may believe in a step of the
        deploy, such as the migrations, that nobody ran.
        """
        if self._unfinished.exists() and not (self.server.process() and self._answers()):
            self.begin_anew()
        if self.server.process() is None:
            # An orderly stop takes the pid file away.
            if self.server.pid_file.exists():
                self._killed.touch()
            shutil.rmtree(self._temporary, ignore_errors=True)
        self._temporary.mkdir(parents=True, exist_ok=True)
        return self.server.start()

    def begin_anew(self) -> None:
        """Stop, and forget everything; what was kept of it stays beside, until the next time."""
        state = self._instance.state / "aws"
        if state.exists() or self._unfinished.exists():
            self.server.stop()
            kept = self._instance.state / "aws.before"
            shutil.rmtree(kept, ignore_errors=True)
            if state.exists():
                state.rename(kept)

    @property
    def _unfinished(self) -> Path:
        return self._instance.state / "aws.unfinished"

    def begin_first_deploy(self) -> None:
        """Nothing was ever deployed to the end here."""
        self._unfinished.touch()

    def end_first_deploy(self) -> None:
        """All of it was."""
        self._unfinished.unlink(missing_ok=True)

    @property
    def _killed(self) -> Path:
        return self._instance.state / "aws.killed"

    @property
    def was_killed(self) -> bool:
        """Whether the endpoint ended without saving its state since the last deploy."""
        return self._killed.exists()

    def forget_kill(self) -> None:
        """The deployment is whole again."""
        self._killed.unlink(missing_ok=True)

    def client(self, service: str) -> Any:
        """A client of the endpoint; never of a real account, whatever the caller's environment says."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 2}, read_timeout=30),
        )

    def command_environment(self) -> dict[str, str]:
        """For the CDK command line: this endpoint only, no profile, no file of the caller's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DEFAULT_ACCOUNT": ACCOUNT,
            "CDK_DEFAULT_REGION": REGION,
        }


def _concurrency() -> int:
    """One worker process takes some 80 MB: six for every GiB of memory, from 16 to 64."""
    return max(16, min(64, 6 * int(psutil.virtual_memory().total) // _GIBIBYTE))


def _uv(*arguments: str) -> None:
    program = Path(sys.executable).with_name("uv")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        [str(program if program.exists() else "uv"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode == 0:
        return
    if says_full(done.stderr):
        raise disk_full(ROOT)
    raise LocalError(
        "The AWS endpoint's packages could not be installed.",
        "check that the package registry is reachable, then run the command again.",
        done.stderr[-2000:],
    )
