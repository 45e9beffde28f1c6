"""The environment, read once: what is missing or unreadable is named, all of it at once."""

from dataclasses import dataclass

import pytest

from tenant_context.settings import DatabaseSettings, RuntimeSettings, Settings, SettingsError, TokenSettings


@dataclass(frozen=True)
class Some(Settings):
    bus: str
    retries: int
    keys: tuple[str, ...]
    quiet: bool = False
    size: int = 7


GOOD = {"RMAP_BUS": "bus", "RMAP_RETRIES": "3", "RMAP_KEYS": "a, b,,"}


def test_variables_become_typed_fields() -> None:
    assert Some.load(GOOD | {"RMAP_QUIET": "true"}) == Some("bus", 3, ("a", "b"), quiet=True)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("ON", True), ("yes", True), ("0", False), ("", False)])
def test_a_switch_is_on_or_off(text: str, value: bool) -> None:  # noqa: FBT001
    assert Some.load(GOOD | {"RMAP_QUIET": text}).quiet is value


def test_every_missing_and_unreadable_variable_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        Some.load({"RMAP_RETRIES": "many", "RMAP_SIZE": "big"})
    assert str(caught.value) == (
        "Some: RMAP_BUS is not set; RMAP_RETRIES is not int: 'many'; RMAP_KEYS is not set; RMAP_SIZE is not int: 'big'"
    )


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMAP_STAGE", "dev")
    assert RuntimeSettings.load().stage == "dev"


def test_what_a_function_needs_has_no_default() -> None:
    tokens = ["RMAP_ISSUER", "RMAP_TABLE_REVOCATIONS", "RMAP_TABLE_SIGNING_KEYS"]
    for kind, needed in (
        (RuntimeSettings, ["RMAP_STAGE"]),
        (DatabaseSettings, ["RMAP_DATABASE_HOST"]),
        (TokenSettings, tokens),
    ):
        with pytest.raises(SettingsError) as caught:
            kind.load({})
        assert all(name in str(caught.value) for name in needed)


def test_in_the_cloud_the_database_is_asked_with_iam() -> None:
    assert DatabaseSettings.load({"RMAP_DATABASE_HOST": "proxy"}).auth == "iam"


def test_settings_do_not_change() -> None:
    loaded = Some.load(GOOD)
    with pytest.raises(AttributeError):
        loaded.bus = "other"  # type: ignore[misc]
