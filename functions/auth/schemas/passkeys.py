"""What browsers answer for passkeys, as `PublicKeyCredential.toJSON()` writes it, and what is told of passkeys."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from shared.identity.model import Passkey
from shared.identity.rules import CREDENTIAL_ID
from tenant_context.clock import rfc3339
from tenant_context.wire import In, Out

MAX_BODY = 65_536
"""Bytes of a request that holds a credential: a new one may bring its maker's certificates along."""

_BASE64URL = r"^[A-Za-z0-9_-]+$"
CredentialId = Annotated[str, StringConstraints(pattern=f"^{CREDENTIAL_ID}$")]
ClientData = Annotated[str, StringConstraints(pattern=_BASE64URL, max_length=4_096), Field(alias="clientDataJSON")]
Transport = Annotated[str, StringConstraints(pattern=r"^[a-z-]{1,20}$")]


class _FromBrowser(In):
    """Browsers may say more than they did when this was written."""

    model_config = ConfigDict(extra="ignore")

    def sent(self) -> dict[str, Any]:
        """As it was sent, what nobody knows left out."""
        return self.model_dump(by_alias=True, exclude_none=True)


class AttestationIn(_FromBrowser):
    """What a new passkey signed."""

    client_data: ClientData
    attestation: Annotated[
        str, StringConstraints(pattern=_BASE64URL, max_length=49_152), Field(alias="attestationObject")
    ]
    transports: Annotated[list[Transport], Field(max_length=8)] = []


class AssertedIn(_FromBrowser):
    """What a passkey signed."""

    client_data: ClientData
    authenticator_data: Annotated[
        str, StringConstraints(pattern=_BASE64URL, max_length=8_192), Field(alias="authenticatorData")
    ]
    signature: Annotated[str, StringConstraints(pattern=_BASE64URL, max_length=2_048)]
    user_handle: Annotated[str, StringConstraints(pattern=_BASE64URL, max_length=100)] | None = Field(
        default=None, alias="userHandle"
    )


class _CredentialIn(_FromBrowser):
    id: CredentialId
    raw_id: Annotated[CredentialId, Field(alias="rawId")]
    type: Literal["public-key"]


class RegistrationIn(_CredentialIn):
    """RegistrationResponseJSON: a new passkey."""

    response: AttestationIn


class AssertionIn(_CredentialIn):
    """AuthenticationResponseJSON: a passkey that answers."""

    response: AssertedIn


class CeremonyOut(Out):
    """What a browser asks an authenticator (`options`, W3C's JSON), and the ticket to answer under, once."""

    ticket: str
    options: dict[str, Any]
    expires_in: int


class PasskeyOut(Out):
    """A passkey; `synced` ones can be copied between their user's devices."""

    id: str
    name: str
    transports: list[str]
    synced: bool
    backed_up: bool
    created_at: str
    last_used_at: str | None


class PasskeysOut(Out):
    """The caller's passkeys."""

    items: list[PasskeyOut]


def passkey(value: Passkey) -> dict[str, object]:
    """The answer's form of a passkey."""
    return {
        "id": value.id,
        "name": value.name,
        "transports": list(value.transports),
        "synced": value.synced,
        "backed_up": value.backed_up,
        "created_at": rfc3339(value.created_at),
        "last_used_at": rfc3339(value.last_used_at) if value.last_used_at else None,
    }
