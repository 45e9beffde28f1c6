"""Cursors of the log: the sort key of an attempt, for which tenant and endpoint are always the caller's own."""

import base64
import binascii
from uuid import UUID

from shared.webhooks.model import EndpointId
from shared.webhooks.repository import places
from tenant_context.dynamo import Item, TenantTable
from tenant_context.errors import FieldError, Invalid


def cursor_of(item: Item) -> str:
    """The cursor that continues after an attempt."""
    return base64.urlsafe_b64encode(str(item["gsi1sk"]).encode()).decode().rstrip("=")


def start_of(table: TenantTable, key: str, endpoint: EndpointId, cursor: str) -> Item:
    """The key a cursor continues after. It names an attempt; tenant and endpoint are always the caller's own."""
    try:
        sort_key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        _at, message, number, *named = sort_key.split("#")
        [claim] = named or [""]  # the release before named none
        return {
            "gsi1pk": table.key(key),
            "gsi1sk": sort_key,
            "pk": table.key(places.of_message(str(UUID(message)))),
            "sk": places.of_attempt(endpoint, int(number), claim and str(UUID(claim))),
        }
    except (ValueError, binascii.Error) as error:
        raise Invalid(errors=(FieldError("?cursor", "cursor", "is not one this API gave"),)) from error
