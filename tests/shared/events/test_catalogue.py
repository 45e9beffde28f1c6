"""The catalogue tells of every event that the code emits, and of each with an example."""

import ast
import re
from pathlib import Path

import pytest

from shared.campaigns.rules import EVENT_OF
from shared.events.rules import catalogue
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


class _Emitters(ast.NodeVisitor):
    """Words that may be types or the ends of types, and what types begin with; not what is only compared with."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        self.beginnings: set[str] = set()

    def visit_Compare(self, node: ast.Compare) -> None:
        """Makes no event."""

    def visit_MatchValue(self, node: ast.MatchValue) -> None:
        """Makes no event."""

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and re.fullmatch(r"[a-z_.]+", node.value):
            self.said.add(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        self.said.add(str(getattr(catalogue, node.id, "")))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        first = node.values[0] if node.values else None
        if isinstance(first, ast.Constant):
            self.beginnings.add(str(first.value))
        elif isinstance(first, ast.FormattedValue) and isinstance(first.value, ast.Name):
            self.beginnings.add(str(getattr(catalogue, first.value.id, "")))


def emitters(domain: Path) -> set[str]:
    """The types that a domain's code says outright, by a word of the catalogue's, or as a beginning and an end."""
    found = _Emitters()
    for path in domain.rglob("*.py"):
        found.visit(ast.parse(path.read_text()))
    beginnings = {one for one in found.beginnings if "." in one and one.partition(".")[0] in AREAS}
    return (found.said | {f"{beginning}{end}" for beginning in beginnings for end in found.said}) & NAMES


def test_every_type_of_the_catalogue_is_emitted_by_a_domain() -> None:
    domains = [folder for folder in (ROOT / "shared").iterdir() if folder.is_dir() and folder.name != "events"]
    found = set().union(*map(emitters, domains))
    assert NAMES - found == set()


def test_what_no_domain_says_has_no_emitter(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("""
        |def tell(tx, kind):
        |    if kind == "campaign.paused":
        |        tx.emit(Event(f"site.{kind}", "", {}))
        |    tell(tx, "moved")
        |    tx.emit(Event(TEST, "", {}))
        |    tx.emit(Event("campaign.resumed", "", {}))
    """.replace("        |", ""))  # fmt: skip
    assert emitters(tmp_path) == {"site.moved", "webhook.test", "campaign.resumed"}


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
