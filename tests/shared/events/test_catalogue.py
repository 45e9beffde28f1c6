"""The catalogue tells of every event that the code emits, and of each with an example."""

import ast
import re
from pathlib import Path

import pytest

from shared.campaigns.rules import EVENT_OF
from shared.events.rules.bodies import catalogue_document, filters_of, is_filter
from shared.events.rules.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[3]
NAMES = {kind.name for kind in CATALOGUE}
AREAS = {kind.area for kind in CATALOGUE}


def emitted() -> set[str]:
    """Every constant of the domains that looks like a type of one of the catalogue's areas."""
    found = set()
    for path in (ROOT / "shared").rglob("*.py"):
        if path.is_relative_to(ROOT / "shared" / "events"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                match = re.fullmatch(r"([a-z]+)\.[a-z_]+", node.value)
                if match and match[1] in AREAS:
                    found.add(node.value)
    return found


def test_every_emitted_type_is_in_the_catalogue() -> None:
    assert emitted() <= NAMES


def test_every_action_on_a_campaign_has_its_event() -> None:
    assert set(EVENT_OF.values()) <= NAMES


def test_no_type_is_listed_twice() -> None:
    assert len(NAMES) == len(CATALOGUE)


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.name)
def test_a_type_has_a_name_of_two_words_a_sentence_and_an_example(kind: object) -> None:
    shown = next(entry for entry in catalogue_document() if entry["type"] == getattr(kind, "name", ""))
    assert re.fullmatch(r"[a-z]+\.[a-z_]+", shown["type"])
    assert shown["description"].endswith(".")
    assert shown["example"]["type"] == shown["type"]
    assert shown["example"]["timestamp"] == shown["example"]["time"]
    assert shown["example"]["data"]
    assert shown["example"]["subject"].partition("/")[2]


@pytest.mark.parametrize("text", ["campaign.launched", "campaign.*", "*", "webhook.*"])
def test_types_areas_and_the_star_are_filters(text: str) -> None:
    assert is_filter(text)


@pytest.mark.parametrize(
    "text", ["", "campaign", "campaign.", "nothing.*", "campaign.launch", "*.created", "**", "*.*"]
)
def test_anything_else_is_no_filter(text: str) -> None:
    assert not is_filter(text)


def test_an_event_passes_its_own_name_its_area_and_the_star() -> None:
    assert filters_of("campaign.launched") == ("campaign.launched", "campaign.*", "*")
