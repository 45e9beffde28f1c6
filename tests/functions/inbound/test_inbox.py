"""The inbox itself: acknowledged once it is kept, worked on once, never older over newer, replayed by operators."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql

from infra import catalog
from local.stack import Stack
from shared.inbox.model import DONE, Kept, Order, Source
from shared.inbox.service.working import Desk
from tenant_context.errors import BadRequest
from tests.functions.billing.harness import Inspected, sample
from tests.functions.inbound.fixtures import TENANT
from tests.functions.inbound.place import OPERATOR, Place, stamp
from tests.functions.inbound.test_ad_platforms import of_google, of_meta, of_tiktok
from tests.functions.inbound.test_mail_events import bounce

DAY = timedelta(days=1)
ALL_DAY = {"since": stamp(-DAY), "until": stamp(DAY)}


def an_event(**changes: Any) -> str:
    return json.dumps({**json.loads(sample("inbound/stripe.json")["body"]), **changes})


class Notes:
    """Works on entries by noting them; fails so often."""

    def __init__(self, fails: int = 0) -> None:
        self.seen: list[datetime] = []
        self.fails = fails

    def __call__(self, _tx: object, kept: Kept, body: bytes) -> Any:
        assert body
        if self.fails:
            self.fails -= 1
            raise BadRequest("Not today.")
        self.seen.append(kept.occurred_at)
        return DONE


def desk(place: Place, source: Source, notes: Notes, order: Order = Order.EACH) -> Notes:
    place.monkeypatch.setitem(place.worker.registry, source, Desk(notes, order))
    return notes


def test_every_source_has_a_row_at_the_door_and_one_at_work(place: Place) -> None:
    assert set(place.inbound.doors.all()) == set(place.worker.registry) == set(Source)


def test_who_takes_what_is_posted_cannot_open_it_and_who_works_on_it_cannot_be_posted_to() -> None:
    assert not any(granted.access == "decrypt with a key" for granted in catalog.function("inbound").permissions)
    assert catalog.routes(catalog.function("inbox_worker")) == ()


def test_all_sources_share_the_inbox(place: Place) -> None:
    place.stripe(an_event())
    place.ses(bounce())
    place.meta(of_meta("1"))
    place.pushed(of_google(), place.token())
    place.tiktok(of_tiktok())
    assert [source for source, _, _ in place.rows()] == ["stripe", "ses", "meta", "google", "tiktok"]
    assert place.work() == []
    assert {state for _, _, state in place.rows()} == {"done", "ignored"}


def test_an_event_of_stripe_that_comes_again_reaches_billing_once(place: Place) -> None:
    assert place.stripe(an_event())["queued"]
    assert place.stripe(an_event())["queued"], "it still waits"
    place.work()
    assert not place.stripe(an_event())["queued"]
    place.work()
    assert len(place.outcomes.messages()) == 1


def test_an_event_of_an_organization_that_is_not_here_is_kept_for_operators(place: Place) -> None:
    body = an_event().replace(str(TENANT), "01920d5a-7b1e-7c3a-9f10-000000000000")
    assert place.stripe(body)["status"] == 200
    place.work()
    (entry,) = place.order("inbox", method="GET")["items"]
    assert (entry["organization"], entry["state"]) == (None, "ignored")
    assert entry["reason"] == "It names an organization that is not here."
    assert place.outcomes.messages() == []


def test_an_erased_organization_leaves_nothing_in_the_inbox(place: Place) -> None:
    with place.clone.connect() as admin:
        admin.execute("UPDATE tenants SET status = 'closed'")
        admin.execute("SELECT set_config('app.tenant_id', %s, false)", (str(TENANT),))
        admin.execute("INSERT INTO erasures (tenant_id, started_at) VALUES (%s, now())", (TENANT,))
        admin.execute("DELETE FROM tenants")
    answer = place.stripe(an_event())
    assert (answer["status"], answer["queued"]) == (200, False)
    assert place.rows() == []


def test_nothing_is_acknowledged_while_the_database_is_down(place: Place, servers: Stack) -> None:
    with psycopg.connect(servers.database_admin_url, autocommit=True) as admin:
        name = sql.Identifier(place.clone.name)
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        place.inbound.database.close()
        refused = [
            place.stripe(an_event()), place.ses(bounce()), place.meta(of_meta("1")), place.tiktok(of_tiktok()),
            place.pushed(of_google(), place.token()),
        ]  # fmt: skip
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    assert [answer["status"] for answer in refused] == [503] * 5
    assert {answer["code"] for answer in refused} == {"unavailable"}
    assert place.rows() == []
    assert place.stripe(an_event())["status"] == 200


def test_what_the_queue_does_not_take_is_acknowledged_and_swept_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = place.inbound.queue
    monkeypatch.setattr(queue, "_url", queue._url + "-gone")
    assert place.stripe(an_event())["queued"]
    monkeypatch.undo()
    assert place.inbox.messages() == []
    assert place.sweep() == 0, "it may be on its way yet"
    with place.clone.connect() as admin:
        admin.execute("UPDATE inbox SET received_at = received_at - interval '1 hour'")
    assert place.sweep() == 1
    assert place.work() == []
    assert len(place.outcomes.messages()) == 1


def test_an_older_entry_does_nothing_after_a_newer_one_of_its_subject(place: Place) -> None:
    notes = desk(place, Source.META, Notes(), Order.NEWEST)
    for at in (-20.0, -40.0, -10.0):
        place.meta(of_meta("1", at=at))
        assert place.work() == []
    place.meta(of_meta("2", at=-60.0))
    place.work()
    first, newer, other = notes.seen
    assert other < first < newer, "the one of 40 seconds before came after that of 20, and another subject is another"
    assert [state for _, _, state in place.rows()] == ["done", "ignored", "done", "done"]


def test_what_fails_is_tried_five_times_and_then_given_up_in_words(place: Place) -> None:
    notes = desk(place, Source.TIKTOK, Notes(fails=5))
    place.tiktok(of_tiktok())
    assert place.work(times=4) == ["0"]
    ((state, tries, reason),) = place.rows("SELECT state, tries, reason FROM inbox")
    assert (state, tries, reason) == ("received", 4, "Not today.")
    (message,) = [{"id": str(place.rows("SELECT id FROM inbox")[0][0])}]
    again(place, message["id"])
    assert place.rows("SELECT state, tries, reason FROM inbox") == [("failed", 5, "Not today.")]
    assert notes.seen == []


def again(place: Place, entry: str) -> None:
    """The queue's next try of an entry that belongs to nobody."""
    body = {"tenant": "00000000-0000-0000-0000-000000000000", "id": "r", "kind": "inbox.entry", "data": {"id": entry}}
    answer = place.worker.handler({"Records": [{"messageId": "0", "body": json.dumps(body)}]}, None)
    assert answer == {"batchItemFailures": []}


def test_what_nobody_foresaw_is_told_without_what_it_was_about(place: Place) -> None:
    def breaks(*_: object) -> Any:
        raise KeyError("ada@acme.example")

    place.monkeypatch.setitem(place.worker.registry, Source.TIKTOK, Desk(breaks, Order.EACH))
    place.tiktok(of_tiktok())
    assert place.work() == ["0"]
    ((reason,),) = place.rows("SELECT reason FROM inbox")
    assert reason == "An unforeseen KeyError; the log of inbox_worker has it."


def test_an_operator_replays_one_that_failed(place: Place) -> None:
    notes = desk(place, Source.TIKTOK, Notes(fails=5))
    place.tiktok(of_tiktok())
    place.work(times=5)
    (entry,) = place.order("inbox", method="GET")["items"]
    assert entry["state"] == "failed"
    answer = place.order(f"inbox/{entry['id']}/replay")
    assert (answer["status"], answer["state"], answer["tries"]) == (202, "received", 0)
    assert place.work() == []
    assert place.order(f"inbox/{entry['id']}", method="GET")["state"] == "done"
    assert len(notes.seen) == 1


def test_an_operator_replays_a_stretch_of_time_twice_and_billing_is_told_the_same(place: Place) -> None:
    place.stripe(an_event())
    place.stripe(an_event(id="evt_2"))
    place.ses(bounce())
    place.work()
    before = told_of(place)
    for _ in range(2):
        answer = place.order("inbox/replay", {**ALL_DAY, "source": "stripe"})
        assert (answer["status"], answer["replayed"], answer["after"]) == (202, 2, None)
        place.work()
        assert told_of(place) == before, "billing knows them again by their ids"
    assert place.order("inbox/replay", {"since": stamp(-2 * DAY), "until": stamp(-DAY)})["replayed"] == 0
    assert {state for _, _, state in place.rows()} == {"done"}


def told_of(place: Place) -> list[Any]:
    """What billing was told since it was last asked, by the events' ids: a queue keeps no order."""
    return sorted((message["data"] for message in place.outcomes.messages()), key=lambda told: str(told["id"]))


def test_a_long_stretch_is_replayed_in_parts(place: Place) -> None:
    place.meta(of_meta(*map(str, range(5))))
    place.work()
    place.monkeypatch.setattr("shared.inbox.service.replaying.MOST", 2)
    place.monkeypatch.setattr("shared.inbox.service.replaying._PAGE", 2)
    counts, after = [], None
    while True:
        answer = place.order("inbox/replay", {**ALL_DAY, "after": after})
        counts.append(answer["replayed"])
        after = answer["after"]
        if after is None:
            break
    assert counts == [2, 2, 1]


def test_an_operator_lets_one_go_and_nobody_works_on_it(place: Place) -> None:
    notes = desk(place, Source.TIKTOK, Notes())
    place.tiktok(of_tiktok())
    (entry,) = place.order("inbox", method="GET")["items"]
    answer = place.order(f"inbox/{entry['id']}/let-go", {"reason": "a test of theirs"})
    assert (answer["status"], answer["state"], answer["reason"]) == (200, "ignored", "a test of theirs")
    place.work()
    assert notes.seen == []


def test_operators_list_by_source_state_organization_and_page(place: Place) -> None:
    place.stripe(an_event())
    place.meta(of_meta("1", "2", "3"))
    place.work()

    def listed(query: str) -> list[str]:
        found = place.get("/api/v1/operator/inbox", query, OPERATOR)
        assert found["status"] == 200, found
        return [one["source"] for one in found["items"]]

    assert listed("") == ["meta", "meta", "meta", "stripe"]
    assert listed("source=stripe") == ["stripe"]
    assert listed("state=ignored") == ["meta"] * 3
    assert listed(f"organization={TENANT}") == ["stripe"]
    assert listed(f"until={stamp(-DAY)}") == []
    first = place.get("/api/v1/operator/inbox", "limit=3", OPERATOR)
    second = place.get("/api/v1/operator/inbox", f"limit=3&cursor={first['next_cursor']}", OPERATOR)
    assert [one["source"] for one in second["items"]] == ["stripe"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("inbox/01a1fc00-0000-7000-8000-000000000009/replay", None, 404),
        ("inbox/none/replay", None, 404),
        ("inbox/01a1fc00-0000-7000-8000-000000000009/let-go", {"reason": "x"}, 404),
        ("inbox/01a1fc00-0000-7000-8000-000000000009/let-go", {}, 422),
        ("inbox/replay", {}, 422),
        ("inbox/replay", {**ALL_DAY, "source": "nobody"}, 422),
        ("inbox/replay", {"since": "yesterday", "until": "today"}, 422),
        ("mail/lift", {"email": "nobody"}, 422),
    ],
)
def test_an_operator_is_told_what_is_wrong(place: Place, path: str, body: object, status: int) -> None:
    answer = place.order(path, body)
    assert (answer["status"], answer["media"]) == (status, "application/problem+json")


@pytest.mark.parametrize("path", ["inbox", "inbox/01a1fc00-0000-7000-8000-000000000009"])
def test_nobody_else_sees_the_inbox(place: Place, path: str) -> None:
    for token in ("", "guess", "eyJhbGciOiJub25lIn0.e30."):
        assert place.get(f"/api/v1/operator/{path}", token=token)["status"] == 401


def test_the_sweep_forgets_what_was_settled_long_ago_and_is_nobodys(place: Place) -> None:
    notes = desk(place, Source.META, Notes(fails=5))
    place.meta(of_meta("1"))
    place.work(times=5)
    place.meta(of_meta("2"))
    place.work()
    assert len(notes.seen) == 1
    with place.clone.connect() as admin:
        admin.execute("UPDATE inbox SET received_at = received_at - interval '91 days'")
    place.sweep()
    assert [state for _, _, state in place.rows()] == ["failed"], "what failed stays until somebody looks at it"


def test_its_numbers_are_among_the_platforms(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    desk(place, Source.META, Notes(fails=5))
    place.meta(of_meta("1"))
    place.work(times=5)
    place.tiktok(of_tiktok())
    with place.clone.connect() as admin:
        admin.execute("UPDATE inbox SET waits_since = waits_since - interval '1 hour'")
        told: Any = admin.execute("SELECT name, value FROM app.operations()").fetchall()
        numbers = dict(told)
    assert (numbers["rmap_inbox_waiting"], numbers["rmap_inbox_failed"]) == (1, 1)
    assert numbers["rmap_inbox_oldest_seconds"] >= 3600
    capsys.readouterr()
    place.sweep()
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "InboxOldestSeconds" in line]
    assert told[0]["InboxFailed"] == [1.0]
    assert told[0]["InboxOldestSeconds"][0] >= 3600
    assert (told[0]["service"], told[0]["operation"]) == ("inbox_worker", "inbox"), "as the alarms look for them"


def test_a_body_opens_in_its_own_row_alone(place: Place, outcomes: Inspected) -> None:
    place.stripe(an_event())
    place.stripe(an_event(id="evt_2"))
    with place.clone.connect() as admin:
        admin.execute(
            "UPDATE inbox SET body = (SELECT body FROM inbox WHERE external_id = 'evt_2')"
            " WHERE external_id = 'evt_sample'"
        )
    assert place.work() == ["0"]
    assert [one["data"]["id"] for one in outcomes.messages()] == ["evt_2"]


def test_times_are_kept_in_utc(place: Place) -> None:
    place.stripe(an_event())
    ((at,),) = place.rows("SELECT occurred_at FROM inbox")
    assert at == datetime.fromtimestamp(1772442000, UTC)
