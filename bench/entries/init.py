"""Starting every function: processor time until its handler is ready, peak memory, package size."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

from bench import sandbox
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.sandbox import Sandbox
from bench.world import ISSUER
from infra import assets, catalog
from infra.assets import Asset, Assets
from infra.vocabulary import Bucket, Function, Http, Queue, Table
from local import stack as local_stack
from local.instance import BENCH, Instance

PLAIN, BARE, INGEST = "plain handler", "bare Python", "sensors_ingest"
_COLUMNS = (
    Column("cpu_ms", "CPU ms"),
    Column("wall_ms", "wall ms"),
    Column("memory_mb", "peak MB", 1),
    Column("zip_mb", "zip MB", 2),
    Column("layers_mb", "its layers MB", 1),
    Column("ratio", "of plain", 2),
)
_API_AT_MOST, _INGEST_AT_MOST = 1 / 2, 1 / 5


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds = 3 if quick else 9
    built = assets.build("local")
    ran = any(up for *_, up in local_stack.status(Instance.of(BENCH)))
    stack = local_stack.start(BENCH, deploy=False)  # auth reads its pepper while it starts
    try:
        environment = _environment(stack.aws_environment())
        contestants = [Contestant(BARE, "the interpreter alone", Sandbox([_nowhere()], "", environment).start)]
        contestants.append(_plain(built, environment))
        contestants += [_ours(row, built, environment) for row in catalog.FUNCTIONS]
        rows = compete(contestants, rounds, {row.name: _sizes(row, built) for row in catalog.FUNCTIONS}, tell)
    finally:
        if not ran:
            local_stack.stop(BENCH)
    return Result("init", __doc__ or "", rounds, _COLUMNS, _compared(rows), _goals(rows, built), _NOTES)


def places(row: Function, built: Assets) -> list[Path]:
    """Where a function's code lies, in the order of Lambda's path."""
    layers = (catalog.KERNEL_LAYER, *row.layers)
    return [built.functions[row.name].path, *(built.layers[layer].path / "python" for layer in layers)]


def without_bytecode(asset: Asset) -> list[str]:
    """The modules of a package that would be compiled at every cold start."""
    with zipfile.ZipFile(asset.package) as package:
        names = set(package.namelist())
    compiled = {
        name.replace("__pycache__/", "").rpartition(".cpython")[0] + ".py" for name in names if name.endswith(".pyc")
    }
    return sorted(name for name in names if name.endswith(".py") and name not in compiled)


def _nowhere() -> Path:
    return sandbox.runtime()


def _plain(built: Assets, environment: dict[str, str]) -> Contestant:
    core = built.layers["core"].path / "python"
    start = Sandbox([sandbox.peers(), core, sandbox.usual(), sandbox.runtime()], "plain_handler", environment).start
    return Contestant(PLAIN, "Powertools, boto3 with two clients, psycopg, ten pydantic models, PyJWT", start)


def _ours(row: Function, built: Assets, environment: dict[str, str]) -> Contestant:
    module = row.handler.rpartition(".")[0]
    start = Sandbox([*places(row, built), sandbox.runtime()], module, environment).start
    return Contestant(row.name, row.purpose, start)


def _sizes(row: Function, built: Assets) -> Figures:
    layers = (catalog.KERNEL_LAYER, *row.layers)
    return {
        "zip_mb": built.functions[row.name].package.stat().st_size / 1e6,
        "layers_mb": sum(built.layers[layer].package.stat().st_size for layer in layers) / 1e6,
    }


def _environment(aws: dict[str, str]) -> dict[str, str]:
    """Every variable that some function reads; only what is read while starting matters."""
    return {
        **aws,
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "AWS_REGION": aws["AWS_DEFAULT_REGION"],
        "LAMBDA_TASK_ROOT": "/var/task",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "RMAP_STAGE": "prod",
        "RMAP_TRACING": "true",
        "RMAP_VERSION": "bench",
        "RMAP_API_URL": ISSUER,
        "RMAP_ISSUER": ISSUER,
        "RMAP_AUDIENCE": "rmap",
        "RMAP_FIELD_KEY": "field",
        "RMAP_FUNCTION_IDENTITY_EGRESS": "egress",
        "RMAP_FUNCTION_INBOUND_EGRESS": "egress",
        "RMAP_RP_ID": "localhost",
        "RMAP_RP_ORIGINS": "http://localhost",
        "RMAP_MAIL_FROM": "no-reply@mail.rmap.example",
        "RMAP_BUS": "bus",
        "RMAP_DATABASE_HOST": "127.0.0.1",
        "RMAP_DATABASE_AUTH": "secret",
        "RMAP_DATABASE_SECRET": "rmap/local/database/app",
        "RMAP_PEPPER_SECRET": "rmap/local/pepper",
        "RMAP_STRIPE_SECRET": "rmap/local/stripe",
        "RMAP_INBOUND_SECRET": "rmap/local/inbound",
        "RMAP_OPERATOR_SECRET": "rmap/local/operator",
        **{f"RMAP_TABLE_{table.name}": f"rmap-bench-{table}" for table in Table},
        **{f"RMAP_BUCKET_{bucket.name}": f"rmap-bench-{bucket}" for bucket in Bucket},
        **{f"RMAP_QUEUE_{queue.name}": f"http://127.0.0.1/000000000000/{queue}" for queue in Queue},
        "POWERTOOLS_METRICS_NAMESPACE": "RMAP",
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def _compared(rows: list[Row]) -> list[Row]:
    plain = next(row for row in rows if row.name == PLAIN).median("cpu_ms")
    return [Row(row.name, row.about, row.figures, {**row.facts, "ratio": row.median("cpu_ms") / plain}) for row in rows]


def _goals(rows: list[Row], built: Assets) -> list[Goal]:
    used = {row.name: row.median("cpu_ms") for row in rows}
    plain = used[PLAIN]
    api = {row.name: used[row.name] / plain for row in catalog.FUNCTIONS if row.has(Http) and row.name != INGEST}
    over = {name: ratio for name, ratio in api.items() if ratio > _API_AT_MOST}
    ingest = used[INGEST] / plain
    bundles = {**built.layers, **built.functions}
    bare = {name: len(found) for name, asset in bundles.items() if (found := without_bytecode(asset))}
    return [
        Goal(
            "API functions start in at most half of the plain handler's time",
            ", ".join(f"{name} {ratio:.2f}" for name, ratio in sorted(api.items(), key=lambda one: -one[1])),
            not over,
            f"{', '.join(over)} above it: psycopg and pydantic are three quarters of their imports" if over else "",
        ),
        Goal(
            "ingest starts in at most a fifth of it",
            f"{ingest:.2f}",
            ingest <= _INGEST_AT_MOST,
            "" if ingest <= _INGEST_AT_MOST else "Powertools and http.client with TLS are a third of its imports",
        ),
        Goal(
            "bytecode in every zip and layer",
            f"{len(bundles) - len(bare)} of {len(bundles)} bundles are compiled through",
            not bare,
            ", ".join(f"{name} lacks {count}" for name, count in bare.items()),
        ),
    ]


_NOTES = (
    "CPU from the birth of a bare interpreter (-I -S) until the handler is ready; wall from the first import.",
    "Its path: zip, layers, the runtime's boto3, all with bytecode. Lambda's runtime client is in nobody's figures.",
    "The plain handler loads X-Ray's SDK at its start, as is usual; ours load it at the first request that is sampled.",
)
