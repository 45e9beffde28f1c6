"""Every event has a schema, its example passes it, and what is published is only ever added to."""

from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from local.catalogue import breaks, published, unpublished
from shared.events.model import EventType
from shared.events.rules.bodies import delivered, thin, type_document
from shared.events.rules.catalogue import BY_NAME, CATALOGUE
from shared.events.rules.schemas import DIALECT, FIELDS, data_schema
from tests.emitted import wrong

LAUNCHED = BY_NAME["campaign.launched"]
every_type = pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)


def changed(kind: EventType, data: dict[str, Any], **more: Any) -> tuple[EventType, ...]:
    """The catalogue with one type's data changed."""
    return (*(one for one in CATALOGUE if one.name != kind.name), replace(kind, example=data, **more))


@every_type
def test_a_types_schema_is_one_and_its_example_passes_it(kind: EventType) -> None:
    shown = type_document(kind)
    assert shown["schema"]["$schema"] == DIALECT
    Draft202012Validator.check_schema(shown["schema"])
    judge = Draft202012Validator(shown["schema"], format_checker=Draft202012Validator.FORMAT_CHECKER)
    judge.validate(shown["example"])
    judge.validate(thin(shown["example"], "/api/v1/webhooks/messages/x/payload"))
    assert not judge.is_valid({**shown["example"], "type": "nothing.happened"})
    assert not judge.is_valid({name: value for name, value in shown["example"].items() if name != "data"})


@every_type
def test_a_field_that_is_missing_or_of_another_type_does_not_pass(kind: EventType) -> None:
    data = dict(kind.example)
    assert wrong([(kind.name, data)]) == []
    for field in data:
        without = {name: value for name, value in data.items() if name != field}
        assert bool(wrong([(kind.name, without)])) is (field not in kind.optional), field
        assert wrong([(kind.name, {**data, field: {"of": ["another", "type"]}})]), field


def test_a_field_that_nobody_was_told_of_does_not_pass() -> None:
    assert wrong([("campaign.launched", {**LAUNCHED.example, "secret": 1})])
    assert wrong([("campaign.exploded", {})])


def test_every_word_of_the_vocabulary_is_in_use() -> None:
    assert {name for kind in CATALOGUE for name in kind.example} == set(FIELDS)


def test_a_body_is_a_cloudevent_and_names_its_schema() -> None:
    body = delivered(
        {"specversion": "1.0", "id": "1", "type": "campaign.launched", "source": "rmap", "time": "t", "data": {}}
    )
    assert body["dataschema"] == "urn:rmap:event:campaign.launched:1" == data_schema(LAUNCHED)["$id"]
    # CloudEvents: names of attributes are lower-case letters and digits.
    assert all(name.isalnum() and name == name.lower() for name in body)


def test_the_catalogue_breaks_nothing_that_is_published() -> None:
    assert breaks(published()) == []


def test_everything_is_published() -> None:
    assert unpublished(published()) == [], "run python -m local.catalogue"


def test_an_added_field_breaks_nothing() -> None:
    more = {**LAUNCHED.example, "agent": "x"}
    assert breaks(published(), changed(LAUNCHED, more, optional=frozenset({"agent"}))) == []
    assert breaks(published(), changed(LAUNCHED, more)) == []


@pytest.mark.parametrize(
    ("data", "more", "said"),
    [
        ({"name"}, {}, "campaign.launched: name is gone."),
        (set(), {"optional": frozenset({"name"})}, "campaign.launched: name was always there and is optional."),
        (set(), {"nullable": frozenset({"name"})}, "campaign.launched: name was"),
    ],
)
def test_a_field_that_goes_or_may_be_missing_or_is_of_another_type_breaks(
    data: set[str], more: dict[str, Any], said: str
) -> None:
    left = {name: value for name, value in LAUNCHED.example.items() if name not in data}
    [sentence, *_] = breaks(published(), changed(LAUNCHED, left, **more))
    assert sentence.startswith(said)


def test_a_type_that_goes_or_goes_back_breaks_and_a_new_version_does_not() -> None:
    known = published()
    assert breaks(known, CATALOGUE[1:]) == [f"{CATALOGUE[0].name} is published and gone."]
    assert breaks(known, changed(LAUNCHED, {"id": "x"}, version=2)) == []
    later = {**known, "campaign.launched": {"2": known["campaign.launched"]["1"]}}
    assert breaks(later) == ["campaign.launched went back from version 2 to 1."]
