"""What is shipped: built the same every time, compiled for its target, and no larger than it needs to be."""

from __future__ import annotations

import marshal
import os
import shutil
import sys
import zipfile
from pathlib import Path
from types import CodeType

import pytest

from infra import assets, bytecode, catalog, wheels
from infra.assets import Asset, AssetMissingError, Assets
from infra.reach import Library
from infra.settings import ROOT
from infra.vocabulary import Function

every_function = pytest.mark.parametrize("row", catalog.FUNCTIONS, ids=lambda row: row.name)

LAYER_BUDGETS_MB = {
    "tenant_context": 1.5,
    "core": 52.0,
    "identity": 8,
    "federation": 4.6,
    "calls": 2.2,
    "dynamo": 2.0,
    "billing": 30.0,
    "migrations": 32.0,
    "tables": 32.0,
}
FUNCTION_BUDGET_MB = 1.5
API_PAGE_MB = 2.5
"""Swagger UI, which only the function that serves it carries."""
LAMBDA_LIMIT_MB = 250.0


@pytest.fixture(scope="session")
def cloud() -> Assets:
    return assets.build("cloud")


@pytest.fixture(scope="session")
def local() -> Assets:
    return assets.build("local")


def test_every_layer_has_a_budget() -> None:
    assert set(LAYER_BUDGETS_MB) == set(catalog.layer_names())


@pytest.mark.parametrize("layer", catalog.layer_names())
def test_a_layer_keeps_its_budget(cloud: Assets, layer: str) -> None:
    assert assets.size_mb(cloud.layers[layer]) <= LAYER_BUDGETS_MB[layer]


@every_function
def test_a_function_keeps_its_budget(cloud: Assets, row: Function) -> None:
    own = assets.size_mb(cloud.functions[row.name])
    assert own <= FUNCTION_BUDGET_MB + (API_PAGE_MB if row.holds_api_page else 0)
    unpacked = own + sum(assets.size_mb(cloud.layers[name]) for name in (catalog.KERNEL_LAYER, *row.layers))
    assert unpacked < LAMBDA_LIMIT_MB / 2


@every_function
def test_a_bundle_holds_its_own_function_and_the_domain_only(local: Assets, row: Function) -> None:
    folder = local.functions[row.name].path
    assert {"functions"} <= {entry.name for entry in folder.iterdir()} <= {"functions", "shared"}
    inside = {entry.name for entry in (folder / "functions").iterdir()}
    assert inside == {"__init__.py", "__pycache__", row.name}


def test_a_bundle_holds_the_modules_that_it_imports_and_no_others(tmp_path: Path) -> None:
    modules = {
        "shared/__init__.py": "",
        "shared/near/__init__.py": "",
        "shared/near/service.py": "def work():\n    from shared.far.rules import rule\n    return rule",
        "shared/near/unasked.py": "import shared.other",
        "shared/far/__init__.py": "",
        "shared/far/rules.py": "rule = 1",
        "shared/other.py": "",
        "handler.py": "import os\nfrom shared.near import service",
    }
    for place, text in modules.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(text)
    reached = {str(source.relative_to(tmp_path)) for source in Library(tmp_path).reached([tmp_path / "handler.py"])}
    assert reached == set(modules) - {"shared/near/unasked.py", "shared/other.py", "handler.py"}


def every_asset(built: Assets) -> list[Asset]:
    return [*built.layers.values(), *built.functions.values()]


@pytest.mark.parametrize("target", ["local", "cloud"])
def test_nothing_leaks_in_that_no_function_imports(target: str, request: pytest.FixtureRequest) -> None:
    built: Assets = request.getfixturevalue(target)
    unwanted = {".pyi", ".pyx", ".pxd", ".orig", ".exe"}
    names = {"RECORD", "INSTALLER", ".DS_Store", ".gitignore", "conftest.py"}
    leaks = [
        str(file)
        for asset in every_asset(built)
        for file in asset.path.rglob("*")
        if file.suffix in unwanted
        or file.name in names
        or file.name in {"tests", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    ]
    assert leaks == []


def test_the_runtimes_own_packages_are_in_no_layer(cloud: Assets) -> None:
    runtime = {"boto3", "botocore", "s3transfer", "jmespath", "dateutil"}
    for name, layer in cloud.layers.items():
        assert runtime.isdisjoint(entry.name for entry in (layer.path / "python").iterdir()), name


def test_cloud_layers_hold_arm64_code_only(cloud: Assets) -> None:
    arm64 = 0xB7
    binaries = [file for layer in cloud.layers.values() for file in layer.path.rglob("*.so*")]
    assert binaries
    assert [str(file) for file in binaries if file.read_bytes()[18] != arm64] == []


def bytecode_of(asset: Asset, tag: str) -> dict[Path, Path]:
    """Source file → its bytecode, for every module of an asset."""
    return {source: source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc" for source in asset.path.rglob("*.py")}


def test_every_module_is_compiled_for_its_interpreter(local: Assets) -> None:
    tag = sys.implementation.cache_tag
    for asset in every_asset(local):
        compiled = bytecode_of(asset, tag)
        assert [str(source) for source, code in compiled.items() if not code.is_file()] == []
        strangers = [str(f) for f in asset.path.rglob("*.pyc") if f not in compiled.values()]
        assert strangers == [], "bytecode of another interpreter, or of no source"


@pytest.mark.skipif(bytecode.lambda_compiler() is None, reason=bytecode.MISSING_COMPILER)
def test_every_cloud_module_is_compiled_for_lambdas_python(cloud: Assets) -> None:
    assert cloud.compiled
    for asset in every_asset(cloud):
        compiled = bytecode_of(asset, bytecode.LAMBDA_TAG)
        assert [str(source) for source, code in compiled.items() if not code.is_file()] == []


def test_bytecode_is_trusted_unseen_and_names_lambdas_paths(local: Assets) -> None:
    unchecked = 0b01
    places = [(local.layers[catalog.KERNEL_LAYER], "/opt/"), (local.functions["campaigns"], "/var/task/")]
    for asset, prefix in places:
        for file in asset.path.rglob("*.pyc"):
            raw = file.read_bytes()
            assert int.from_bytes(raw[4:8], "little") == unchecked
            code = marshal.loads(raw[16:])  # noqa: S302 -- compiled a moment ago by ourselves
            assert isinstance(code, CodeType)
            assert code.co_filename.startswith(prefix)


def test_no_bundle_mentions_this_machine(local: Assets) -> None:
    here = str(ROOT).encode()
    own = [local.layers[catalog.KERNEL_LAYER], *local.functions.values()]
    assert [str(f) for asset in own for f in asset.path.rglob("*.py*") if here in f.read_bytes()] == []


def small_house(home: Path) -> Path:
    """A copy of what is built, small enough to change."""
    for name in ("functions", "shared", "layers", "requirements"):
        shutil.copytree(ROOT / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    for place in (assets.API_DESCRIPTION, assets.SWAGGER_FOLDER):
        source = ROOT / place
        if source.is_dir():
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            (home / place).symlink_to(source)
        elif source.is_file():
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, home / place)
    return home


@pytest.fixture
def no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of wheels are the package index's matter; here they are one file that holds the lock."""

    def install(lock: Path, into: Path, _target: str) -> None:
        into.mkdir(parents=True)
        shutil.copyfile(lock, into / "wheel.py.txt")

    monkeypatch.setattr(wheels, "install", install)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.mark.usefixtures("no_wheels")
def test_two_builds_of_the_same_sources_are_the_same_to_the_byte(tmp_path: Path) -> None:
    home = small_house(tmp_path / "one")
    shutil.copytree(home, tmp_path / "elsewhere" / "other", symlinks=True)
    one = assets.build("local", root=home)
    other = assets.build("local", root=tmp_path / "elsewhere" / "other")
    for row in catalog.FUNCTIONS:
        assert one.functions[row.name].digest == other.functions[row.name].digest
        assert contents(one.functions[row.name].path) == contents(other.functions[row.name].path)
        assert one.functions[row.name].package.read_bytes() == other.functions[row.name].package.read_bytes()
    assert {name: layer.digest for name, layer in one.layers.items()} == {
        name: layer.digest for name, layer in other.layers.items()
    }


@pytest.mark.usefixtures("no_wheels")
def test_caches_and_times_change_no_hash(tmp_path: Path) -> None:
    home = small_house(tmp_path)
    before = assets.build("local", root=home).functions["campaigns"].digest
    handler = home / "functions" / "campaigns" / "handler.py"
    os.utime(handler, (1, 1))
    (handler.parent / "__pycache__").mkdir()
    (handler.parent / "__pycache__" / "handler.cpython-39.pyc").write_bytes(b"old")
    after = assets.build("local", root=home).functions["campaigns"]
    assert after.digest == before
    assert not list(after.path.rglob("*cpython-39*"))


@pytest.mark.usefixtures("no_wheels")
def test_a_changed_handler_rebuilds_its_bundle_and_no_other(tmp_path: Path) -> None:
    home = small_house(tmp_path)
    before = assets.build("local", root=home)
    handler = home / "functions" / "campaigns" / "handler.py"
    handler.write_text(handler.read_text() + "\nCHANGED = True\n")
    after = assets.build("local", root=home)
    changed = {name for name, asset in after.functions.items() if asset.digest != before.functions[name].digest}
    assert changed == {"campaigns"}
    assert "CHANGED" in (after.functions["campaigns"].path / "functions/campaigns/handler.py").read_text()


@pytest.mark.usefixtures("no_wheels")
def test_a_package_never_changes_whatever_is_built_later(tmp_path: Path) -> None:
    home = small_house(tmp_path)
    before = assets.build("local", root=home).functions["campaigns"].package
    raw = before.read_bytes()
    (home / "functions" / "campaigns" / "handler.py").write_text("def handler(event, context): ...\n")
    after = assets.build("local", root=home).functions["campaigns"].package
    assert after != before
    assert before.read_bytes() == raw


def test_a_package_holds_the_bundle(local: Assets) -> None:
    bundle = local.functions["campaigns"]
    with zipfile.ZipFile(bundle.package) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == set(contents(bundle.path))


@pytest.mark.usefixtures("no_wheels")
def test_a_build_that_broke_off_is_made_again(tmp_path: Path) -> None:
    home = small_house(tmp_path)
    built = assets.build("local", root=home).functions["campaigns"]
    (built.path / "functions/campaigns/handler.py").unlink()
    built.path.with_name("campaigns.stamp").unlink()
    again = assets.build("local", root=home).functions["campaigns"]
    assert (again.path / "functions/campaigns/handler.py").is_file()


@pytest.mark.usefixtures("no_wheels")
def test_a_function_without_a_handler_is_named(tmp_path: Path) -> None:
    home = small_house(tmp_path)
    (home / "functions/jobs/handler.py").unlink()
    with pytest.raises(AssetMissingError, match=r"functions/jobs/handler\.py is missing"):
        assets.build("local", root=home)


def test_migrations_run_again_only_when_they_changed(tmp_path: Path) -> None:
    home = small_house(tmp_path)
    before = assets.migrations_digest(home)
    (home / "functions/campaigns/handler.py").write_text("")
    assert assets.migrations_digest(home) == before
    (home / "functions/migrations/new.sql").write_text("SELECT 1;")
    assert assets.migrations_digest(home) != before


def test_the_api_page_travels_with_the_function_that_serves_it(local: Assets) -> None:
    page = local.functions["service"].path / "functions" / "service" / "static"
    assert {*assets.SWAGGER_FILES, "openapi.json"} <= {file.name for file in page.iterdir()}
