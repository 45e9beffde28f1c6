"""What makes a password, a slug, a refresh token and an access token good."""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.identity.errors import OrganizationClosed, OrganizationSuspended, SsoRequired, WeakPassword
from shared.identity.model import Assurance, Login, Membership, Provider, Session, SignUp
from shared.names.rules import RESERVED_SLUGS
from tenant_context.permissions import allows
from tenant_context.plans import plan_of
from tenant_context.state_news import Allowed
from tenant_context.states import Need, State, permits, refusal

ACCESS_SECONDS = 15 * 60
REFRESH_SECONDS = 30 * 24 * 3600
GRACE_SECONDS = 10
"""How long the token just replaced still answers with the active one: two tabs, a retried request."""
MIN_PASSWORD, MAX_PASSWORD = 12, 128
FEDERATED_SECONDS = 12 * 3600
"""How long a session lasts that a tenant's provider vouched for: who is taken out there is out here the same day."""
RECOVERY_CODES = 10
CHALLENGE_SECONDS = 300
MAX_KEY = 255
"""Characters of an Idempotency-Key."""
SIGN_UP_KEY_SECONDS = 86_400
"""How long the key of a sign-up is known."""
MAX_PASSKEYS = 10
CREDENTIAL_ID = r"[A-Za-z0-9_-]{1,934}"
"""A passkey's id in base64url, of 700 bytes at most: a sort key of DynamoDB has 1,024."""
_CODE_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def check_password(password: str, email: str, name: str) -> None:
    """Raise `WeakPassword` for one too short, too long, or made of the mail address or the name."""
    if len(password) < MIN_PASSWORD:
        raise WeakPassword(f"must have at least {MIN_PASSWORD} characters")
    if len(password) > MAX_PASSWORD:
        raise WeakPassword(f"may have at most {MAX_PASSWORD} characters")
    folded = password.casefold()
    for word in (email, email.partition("@")[0], name):
        rest = folded.replace(word.casefold(), "") if len(word) > 3 else folded  # noqa: PLR2004  short names occur anywhere
        if len(rest) < len(folded) and len(rest) < MIN_PASSWORD // 2:
            raise WeakPassword("must not be made of your mail address or name")


def place_of(memberships: Sequence[Membership], organization: str | None) -> Membership | None:
    """The place that was named; else the first one joined, of those that take proofs of one's own if there is one."""
    if organization is None:
        memberships = sorted(memberships, key=lambda membership: membership.sso_only)
    for membership in memberships:
        if organization is None or organization in {membership.slug, str(membership.tenant)}:
            return membership
    return None


def check_open(membership: Membership) -> None:
    """Raise `OrganizationClosed` for a tenant that nobody may work in, or that may only be paid for by others."""
    if membership.status == State.SUSPENDED_UNPAID and not allows(membership.permissions, "billing.read"):
        raise OrganizationSuspended("The organization is suspended until it has paid; ask its owner.")
    check_status(membership.status)


def check_status(status: str) -> None:
    """Raise `OrganizationClosed` in a state in which nobody may work."""
    if permits(status, Need.LOG_IN):
        return
    kind = OrganizationSuspended if status == State.SUSPENDED else OrganizationClosed
    raise kind(refusal(status).detail)


def check_way(membership: Membership, assurance: Assurance) -> None:
    """Raise `SsoRequired` where people come in by the tenant's provider alone, and these proofs are others.

    Owners with two proofs of their own come in all the same: somebody has to, when the provider is broken.
    """
    breaks_glass = membership.role == "owner" and assurance.level > 1
    if membership.sso_only and not assurance.is_federated and not breaks_glass:
        raise SsoRequired


def is_restricted(membership: Membership, assurance: Assurance) -> bool:
    """Whether permissions are withheld until there is a second factor, which the tenant asks for."""
    return membership.mfa_required and assurance.level < 2  # noqa: PLR2004  two proofs


def holds(membership: Membership, assurance: Assurance) -> bool:
    """Whether a session still stands: its tenant has the provider that vouched, and asks for no other way."""
    if assurance.is_federated and membership.provider != assurance.issuer:
        return False
    try:
        check_way(membership, assurance)
    except SsoRequired:
        return False
    return True


def rests_on(login: Login) -> str:
    """What a code or a waiting log-in rests on: good no more, once the address or the password is another."""
    text = f"{login.user.id}|{login.user.email}|{login.password_hash}"
    return hashlib.sha256(text.encode()).hexdigest()


def role_of(provider: Provider, claims: Mapping[str, Any]) -> str | None:
    """The role that a provider's claims give: the first of the mapping that the claim holds, else the default."""
    value = claims.get(provider.role_claim) if provider.role_claim else None
    said = value if isinstance(value, list) else [value]
    return next((role for name, role in provider.role_map.items() if name in said), provider.default_role)


def vouched_proofs(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The proofs of a log-in at a provider: two, where it says that it asked for more than one (RFC 8176)."""
    methods = claims.get("amr")
    return ("fed", "mfa") if isinstance(methods, list) and "mfa" in methods else ("fed",)


def is_role_name(text: str) -> bool:
    """Whether a role could be called so."""
    return re.fullmatch(r"[a-z][a-z0-9-]{1,39}", text) is not None


def slug_of(name: str, fresh: UUID) -> str:
    """A slug from an organization's name; with a few characters of a fresh id where the name is too short."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:50].strip("-")
    if len(slug) < 3 or slug in RESERVED_SLUGS:  # noqa: PLR2004  the shortest slug the table takes
        slug = f"{slug or 'tenant'}-{fresh.hex[-8:]}"
    return slug


def refresh_token(session: Session, pepper: str) -> str:
    """The refresh token of the session's present generation: made, never stored, so it can be given again."""
    return f"rt_{session.id.hex}_{session.generation}_{_mac(session, session.generation, pepper)}"


def read_refresh_token(token: str) -> tuple[UUID, int, str] | None:
    """Session, generation and proof of a well-formed token, else None."""
    match = re.fullmatch(r"rt_([0-9a-f]{32})_([0-9]{1,9})_([A-Za-z0-9_-]{43})", token)
    return (UUID(match[1]), int(match[2]), match[3]) if match else None


def is_genuine(session: Session, generation: int, proof: str, pepper: str) -> bool:
    """Whether we made this generation's token."""
    return hmac.compare_digest(_mac(session, generation, pepper), proof)


def _mac(session: Session, generation: int, pepper: str) -> str:
    text = f"{session.seed}|{session.id.hex}|{generation}"
    digest = hmac.new(pepper.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def recovery_code() -> str:
    """A fresh code of 60 random bits, as people can type it: `k3m9-xw2p-7rhd`."""
    letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(12))
    return "-".join(letters[start : start + 4] for start in (0, 4, 8))


def code_digest(code: str, user: UUID, pepper: str) -> str:
    """What is kept of a recovery code; typed with or without hyphens, in capitals or not."""
    plain = "".join(code.split()).replace("-", "").lower()
    return hmac.new(pepper.encode(), f"recovery|{user}|{plain}".encode(), hashlib.sha256).hexdigest()


def is_credential_id(text: str) -> bool:
    """Whether it can be a passkey's id."""
    return re.fullmatch(CREDENTIAL_ID, text) is not None


def claims(
    session: Session,
    membership: Membership,
    allowed: Allowed | None,
    *,
    issuer: str,
    audience: str,
    token_id: UUID,
    now: datetime,
) -> dict[str, Any]:
    """The claims of an access token; `allowed` is what was told of its tenant beside its plan."""
    issued = int(now.timestamp())
    restricted = is_restricted(membership, session.assurance)
    allowed = allowed or Allowed(plan_of(membership.plan).rate)
    return {
        **({"restricted": "mfa"} if restricted else {}),
        **({"full": allowed.full.claim()} if allowed.full else {}),
        "sub": str(session.user),
        "tid": str(session.tenant),
        "role": membership.role,
        "state": membership.status,
        "permissions": sorted(membership.permissions),
        "rate": allowed.rate.claim(),
        "sid": str(session.id),
        "aal": session.assurance.level,
        "amr": list(session.assurance.proofs),
        "auth_time": session.assurance.at,
        "iss": issuer,
        "aud": audience,
        "iat": issued,
        "nbf": issued,
        "exp": issued + ACCESS_SECONDS,
        "jti": str(token_id),
    }


def sign_up_scope(sign_up: SignUp, key: str) -> str:
    """What an Idempotency-Key of a sign-up, at which nobody is proved, is a key of: an address and an organization."""
    named = "\n".join((sign_up.email, sign_up.slug or "", "" if sign_up.slug else sign_up.organization, key))
    return hashlib.sha256(named.encode()).hexdigest()


def said_at_sign_up(sign_up: SignUp) -> str:
    """A digest of what a sign-up says but for its password, which is compared where passwords are."""
    said = "\n".join((sign_up.email, sign_up.name, sign_up.organization, sign_up.slug or "", sign_up.plan))
    return hashlib.sha256(said.encode()).hexdigest()
