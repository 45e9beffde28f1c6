from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from infra import catalog
from infra.vocabulary import (
    ACTIONS,
    Access,
    Bucket,
    Callee,
    Function,
    Key,
    Queue,
    QueueConsumer,
    Reach,
    Schedule,
    Secret,
    Table,
)

every_function = pytest.mark.parametrize("row", catalog.FUNCTIONS, ids=lambda row: row.name)


def test_names_are_unique() -> None:
    assert [name for name, count in Counter(row.name for row in catalog.FUNCTIONS).items() if count > 1] == []


def test_no_two_functions_claim_one_address() -> None:
    claimed = Counter(key for row in catalog.FUNCTIONS for key in catalog.routes(row))
    assert [key for key, count in claimed.items() if count > 1] == []


def test_every_queue_has_exactly_one_consumer_and_somebody_who_fills_it() -> None:
    consumed = Counter(
        trigger.queue for row in catalog.FUNCTIONS for trigger in row.triggers if isinstance(trigger, QueueConsumer)
    )
    assert consumed == Counter(Queue)
    assert [queue for queue in Queue if not catalog.holders(Access.SEND, queue)] == []
    again = [row.name for row in catalog.holders(Access.SEND, Queue.WEBHOOK_EVENTS)]
    assert again == ["webhooks_fanout"], "the bus fills this one; who empties it puts back what has to wait"


def test_one_function_answers_every_unknown_address() -> None:
    assert sum("$default" in catalog.routes(row) for row in catalog.FUNCTIONS) == 1


@every_function
def test_a_function_reaches_the_database_or_the_internet_never_both(row: Function) -> None:
    touches_database = row.may(Access.CONNECT) or row.may(Access.READ_SECRET, Secret.DATABASE_OWNER)
    assert touches_database == (row.reach is Reach.DATABASE)


@every_function
def test_only_migrations_hold_the_owners_secret_and_nobody_the_apps(row: Function) -> None:
    assert row.may(Access.READ_SECRET, Secret.DATABASE_OWNER) == (row.name == "migrations")
    assert not row.may(Access.READ_SECRET, Secret.DATABASE_APP)


@every_function
def test_a_permission_names_a_resource_of_its_kind(row: Function) -> None:
    kinds = {
        Access.SEND: Queue, Access.READ_TABLE: Table, Access.WRITE_TABLE: Table, Access.LEASE: Table,
        Access.INSERT_MANY: Table, Access.UPDATE_MANY: Table,
        Access.SIGN: Key,
        Access.MAKE_KEY: Key,
        Access.TAG_KEY: Key, Access.TEND_KEY: Key, Access.ENCRYPT: Key, Access.DECRYPT: Key, Access.READ_SECRET: Secret,
        Access.CONNECT: type(None), Access.PUBLISH: type(None), Access.SEND_MAIL: type(None),
        Access.CALL: Callee, Access.SCAN_TABLE: Table, Access.READ_OBJECTS: Bucket, Access.WRITE_OBJECTS: Bucket,
        Access.LIST_OBJECTS: Bucket, Access.MAKE_DATA_KEY: Key,
    }  # fmt: skip
    wrong = [p for p in row.permissions if type(p.resource) is not kinds[p.access]]
    assert wrong == []
    assert len(set(row.permissions)) == len(row.permissions)


@every_function
def test_work_that_waits_for_an_answer_is_done_before_the_gateway_gives_up(row: Function) -> None:
    if catalog.routes(row):
        assert row.timeout_s < 29


@every_function
def test_scheduled_work_ends_before_it_starts_again(row: Function) -> None:
    for trigger in row.triggers:
        if isinstance(trigger, Schedule):
            assert row.timeout_s <= 60 * (trigger.local_minutes or trigger.minutes)


def test_only_the_issuer_of_tokens_may_sign() -> None:
    assert [row.name for row in catalog.holders(Access.SIGN)] == ["auth"]


def test_only_one_function_makes_signing_keys_and_says_which_ones_hold() -> None:
    for access in (Access.MAKE_KEY, Access.TAG_KEY, Access.TEND_KEY):
        assert [row.name for row in catalog.holders(access)] == ["key_rotation"]
    assert [row.name for row in catalog.holders(Access.WRITE_TABLE, Table.SIGNING_KEYS)] == ["key_rotation"]


def test_whoever_encrypts_fields_cannot_read_them_back() -> None:
    """But auth, which checks the codes of the authenticator apps that it set up."""
    seals = (Access.ENCRYPT, Access.MAKE_DATA_KEY)
    encrypts = {row.name for access in seals for row in catalog.holders(access, Key.FIELD)}
    decrypts = {row.name for row in catalog.holders(Access.DECRYPT, Key.FIELD)}
    assert encrypts & decrypts == {"auth"}


def test_every_function_that_tenants_call_counts_their_calls() -> None:
    """But inbound, which strangers post to, and service, which answers operators and everybody."""
    uncounted = {row.name for row in catalog.http_functions()} - {row.name for row in catalog.holders(Access.LEASE)}
    assert uncounted == {"inbound", "service"}


def test_no_action_of_a_function_holds_a_wildcard() -> None:
    assert [action for actions in ACTIONS.values() for action in actions if "*" in action] == []


def test_the_catalog_imports_no_cdk() -> None:
    program = "import sys, infra.catalog, infra.settings; sys.exit('aws_cdk' in sys.modules or 'jsii' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
