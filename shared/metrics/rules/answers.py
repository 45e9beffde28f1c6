"""What an answer says, as plain values: the wire's JSON, or rows of an export."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from shared.metrics.model import ADDED, MONEY, Ask, Facts, Group, Head, Metric, Step
from shared.metrics.rules.folding import total
from shared.metrics.rules.values import change, is_comparable, number, value
from tenant_context.clock import rfc3339


@dataclass(slots=True)
class Part:
    """One group of an answer: what it is, what it has by step, and what it had in the steps it is compared with.

    `dates`: which day each step is of, where steps are regrouped by what their days are.
    """

    group: Group | None
    facts: list[Facts]
    before: list[Facts] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)
    dates: Sequence[date] = ()


@dataclass(slots=True)
class Told:
    """Everything that was found out for a question; `over`: of its range a tenth at most is to come."""

    ask: Ask
    head: Head
    steps: Sequence[Step]
    before: Sequence[Step]
    parts: Sequence[Part]
    currency: str | None
    spread: bool
    over: bool


def document(told: Told) -> dict[str, Any]:
    """The answer as the wire has it; without what changes by itself, which is how fresh it is."""
    ask, head = told.ask, told.head
    whole = total(total(part.facts) for part in told.parts)
    said: dict[str, Any] = {
        "site": str(head.id) if head.kind != "organization" else None,
        "place": {"kind": head.kind, "name": head.name},
        "granularity": ask.span.granularity.value,
        "time_zone": head.time_zone,
        "from": rfc3339(ask.span.start),
        "to": rfc3339(ask.span.end),
        "currency": told.currency,
        "coverage": whole.coverage,
        "imputed": any(facts.imputed for part in told.parts for facts in (*part.facts, *part.before)),
        "spread": told.spread,
    }
    if told.before:
        said["compare"] = {
            "with": ask.compare,
            "from": rfc3339(told.before[0].start),
            "to": rfc3339(told.before[-1].end),
        }
    if ask.group_by is not None:
        said["group_by"] = ask.group_by.value
        said["groups"] = [{**_named(part), "series": list(_series(told, part))} for part in told.parts]
        return said
    series = list(_series(told, told.parts[0]))
    return {**said, **series[0]} if len(series) == 1 else {**said, "series": series}


def _named(part: Part) -> dict[str, Any]:
    if part.group is not None:
        return {"id": str(part.group.key), "name": part.group.name, "kind": part.group.kind}
    return part.named


def _series(told: Told, part: Part) -> Iterator[dict[str, Any]]:
    whole, then = total(part.facts), total(part.before)
    for metric in told.ask.metrics:
        said = value(metric, whole)
        one: dict[str, Any] = {"metric": metric.value, "total": number(said)}
        if metric in MONEY:
            one["currency"] = told.currency
        if told.ask.group_by is not None:
            one["coverage"] = whole.coverage
        if told.before:
            one["previous"] = number(value(metric, then))
            one["change"] = change(said, value(metric, then))
            one["previous_coverage"] = then.coverage
            one["comparable"] = told.over and is_comparable(metric, whole, then)
        if part.named:
            days = _days(metric, part)
            one["average"], one["days"] = _average(metric, said, days), days
        else:
            one["points"] = list(_points(told, part, metric))
        yield one


def _days(metric: Metric, part: Part) -> int:
    """Of how many days there is something to tell. Of what was not counted, or is yet to come, there is nothing."""
    told = zip(part.dates, part.facts, strict=True)
    return len({day for day, facts in told if value(metric, facts) is not None})


def _average(metric: Metric, said: Decimal | None, days: int) -> float | None:
    """The average of a day; of a ratio, which does not add up, that of all of them together."""
    if said is None or not days:
        return None
    return round(float(said / days if metric in ADDED else said), 4)


def _points(told: Told, part: Part, metric: Metric) -> Iterator[dict[str, Any]]:
    for place, (step, facts) in enumerate(zip(told.steps, part.facts, strict=True)):
        said = value(metric, facts)
        point: dict[str, Any] = {
            "start": rfc3339(step.start),
            "value": number(said),
            "coverage": facts.coverage,
        }
        if facts.imputed:
            point["imputed"] = True
        if told.before:
            then = value(metric, part.before[place])
            point["previous"], point["change"] = number(then), change(said, then)
            point["previous_coverage"] = part.before[place].coverage
        yield point


def rows(told: Told) -> tuple[list[str], list[list[Any]]]:
    """The answer as a table: a row for each group and step, a column for each metric."""
    metrics = [metric.value for metric in told.ask.metrics]
    compared = [f"previous_{metric}" for metric in metrics] if told.before else []
    by_place = not told.parts or told.parts[0].group is not None
    names = ["start", "place", "name"] if by_place else ["group"]
    table: list[list[Any]] = []
    for part in told.parts:
        if part.named:
            whole, then = total(part.facts), total(part.before)
            table.append([str(next(iter(part.named.values()))), *_cells(told, whole, then)])
            continue
        group = part.group or Group(told.head.id, told.head.name, told.head.kind)
        for place, (step, facts) in enumerate(zip(told.steps, part.facts, strict=True)):
            then = part.before[place] if told.before else Facts()
            table.append([rfc3339(step.start), str(group.key), group.name, *_cells(told, facts, then)])
    covered = ["coverage", "previous_coverage"] if told.before else ["coverage"]
    return [*names, *metrics, *compared, "currency", *covered, "imputed"], table


def _cells(told: Told, facts: Facts, then: Facts) -> Iterator[Any]:
    for metric in told.ask.metrics:
        yield value(metric, facts)
    if told.before:
        for metric in told.ask.metrics:
            yield value(metric, then)
    yield told.currency or ""
    yield facts.coverage
    if told.before:
        yield then.coverage
    yield facts.imputed
