"""The addresses of identity."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from functions.auth import credentials, schemas
from shared.identity.gateway.tokens import jwk
from shared.identity.service.account import Account
from shared.identity.service.callers import Caller
from shared.identity.service.keys import ApiKeys
from shared.identity.service.proofs import Proofs
from shared.identity.service.recovery import Recovery
from shared.identity.service.sign_in import Identity
from tenant_context.key_ring import KeyRing
from tenant_context.postgres import Transaction
from tenant_context.routing import SIGNED_IN, Answer, Call, Proof, Routes

routes = Routes()


@dataclass(frozen=True, slots=True)
class Auth:
    """What the routes use."""

    identity: Identity
    proofs: Proofs
    recovery: Recovery
    account: Account
    keys: ApiKeys
    ring: KeyRing
    issuer: str


def _caller(call: Call[Any]) -> Caller:
    return Caller(call.source_ip, call.headers.get("user-agent", ""), call.request_id)


@routes.act(
    "POST",
    "/api/v1/auth/signup",
    proof=Proof.PUBLIC,
    body=schemas.SignUpIn,
    answer=schemas.SignedInOut,
    status=201,
)
def signup(call: Call[schemas.SignUpIn], auth: Auth) -> Answer:
    """Sign up: a user, an organization they own, and tokens; billing follows by itself."""
    came = auth.identity.sign_up(call.body.sign_up(), _caller(call))
    auth.recovery.ask_to_confirm(came.user, came.membership.tenant, call.request_id)
    return Answer(schemas.signed_in(came))


@routes.act(
    "POST",
    "/api/v1/auth/invitations/sign-up",
    proof=Proof.PUBLIC,
    body=schemas.JoinAnewIn,
    answer=schemas.SignedInOut,
    status=201,
)
def join_anew(call: Call[schemas.JoinAnewIn], auth: Auth) -> Answer:
    """Accept an invitation as a new user."""
    body = call.body
    return Answer(schemas.signed_in(auth.identity.join_anew(body.token, body.name, body.password, _caller(call))))


@routes.act(
    "POST",
    "/api/v1/auth/invitations/accept",
    permission=SIGNED_IN,
    body=schemas.JoinIn,
    answer=schemas.SwitchedOut,
)
def join(call: Call[schemas.JoinIn], auth: Auth) -> Answer:
    """Accept an invitation as the user you are, and get tokens for that organization."""
    membership, tokens = auth.identity.join(call.tenant, call.body.token, _caller(call))
    return Answer({"organization": schemas.organization(membership), **schemas.tokens(tokens)})


@routes.act("POST", "/api/v1/auth/confirm", proof=Proof.PUBLIC, body=schemas.ConfirmIn, status=204)
def confirm(call: Call[schemas.ConfirmIn], auth: Auth) -> Answer:
    """Confirm your mail address with the code that was sent there."""
    auth.recovery.confirm(call.body.token, _caller(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/password/forgot", proof=Proof.PUBLIC, body=schemas.ForgotIn, status=202)
def forgot(call: Call[schemas.ForgotIn], auth: Auth) -> Answer:
    """Have a code sent by which you set a new password; the answer is the same for an unknown address."""
    auth.recovery.forgot(call.body.email, _caller(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/password/reset", proof=Proof.PUBLIC, body=schemas.ResetIn, status=204)
def reset(call: Call[schemas.ResetIn], auth: Auth) -> Answer:
    """Set a new password with the code of a mail; every session of yours ends."""
    auth.recovery.reset(call.body.token, call.body.password, _caller(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/password", permission=SIGNED_IN, body=schemas.PasswordIn, status=204)
def change_password(call: Call[schemas.PasswordIn], auth: Auth) -> Answer:
    """Change your password; every other session of yours ends."""
    auth.recovery.change(call.tenant, call.body.present, call.body.password, _caller(call))
    return Answer()


@routes.read("/api/v1/auth/me", permission=SIGNED_IN, answer=schemas.MeOut)
def me(call: Call[None], auth: Auth) -> Answer:
    """Show who you are."""
    user, confirmed = auth.recovery.me(call.tenant)
    return Answer({"id": user.id, "email": user.email, "name": user.name, "email_confirmed": confirmed})


@routes.act("DELETE", "/api/v1/auth/me", permission=SIGNED_IN, status=204, recent=True)
def end_account(call: Call[None], auth: Auth) -> Answer:
    """Delete your account: you leave every organization. Whose last owner you are keeps you."""
    auth.account.end(call.tenant, _caller(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/email", permission=SIGNED_IN, body=schemas.EmailIn, status=202, recent=True)
def change_email(call: Call[schemas.EmailIn], auth: Auth) -> Answer:
    """Ask to change your mail address; a code goes to each of the two, and both are needed."""
    auth.account.ask_to_change_email(call.tenant, call.body.email, _caller(call))
    return Answer()


@routes.act(
    "POST", "/api/v1/auth/email/confirm", proof=Proof.PUBLIC, body=schemas.ConfirmIn, answer=schemas.EmailChangedOut
)
def confirm_email(call: Call[schemas.ConfirmIn], auth: Auth) -> Answer:
    """Confirm the change of a mail address with the code that was sent to either."""
    return Answer({"changed": auth.account.confirm_email(call.body.token, _caller(call))})


@routes.act("POST", "/api/v1/auth/login", proof=Proof.PUBLIC, body=schemas.LogInIn, answer=schemas.LoggedInOut)
def login(call: Call[schemas.LogInIn], auth: Auth) -> Answer:
    """Log in with mail address and password; a user with a second factor gets a challenge instead of tokens."""
    body = call.body
    came = auth.identity.log_in(body.email, body.password, body.organization, _caller(call), body.device_token)
    return Answer(schemas.logged_in(came))


@routes.act("POST", "/api/v1/auth/login/verify", proof=Proof.PUBLIC, body=schemas.VerifyIn, answer=schemas.SignedInOut)
def verify(call: Call[schemas.VerifyIn], auth: Auth) -> Answer:
    """Finish a log-in with a code of the authenticator app or a recovery code."""
    return Answer(schemas.signed_in(auth.identity.answer(call.body.challenge, call.body.code, _caller(call))))


@routes.act(
    "POST",
    "/api/v1/auth/login/passkey/options",
    proof=Proof.PUBLIC,
    body=schemas.PasskeyAskIn,
    answer=credentials.CeremonyOut,
)
def ask_to_log_in(call: Call[schemas.PasskeyAskIn], auth: Auth) -> Answer:
    """Get what to ask a passkey for a log-in: by the passkey alone, or as the second step after the password."""
    return Answer(auth.identity.ask_passkey(call.body.challenge))


@routes.act(
    "POST",
    "/api/v1/auth/login/passkey",
    proof=Proof.PUBLIC,
    body=schemas.PasskeyLogInIn,
    answer=schemas.SignedInOut,
    max_body=credentials.MAX_BODY,
)
def login_by_passkey(call: Call[schemas.PasskeyLogInIn], auth: Auth) -> Answer:
    """Log in with a passkey, or finish a log-in with one."""
    body = call.body
    came = auth.identity.answer_passkey(
        body.ticket, body.credential.sent(), body.organization, _caller(call), body.device_token
    )
    return Answer(schemas.signed_in(came))


@routes.act(
    "POST",
    "/api/v1/auth/step-up",
    permission=SIGNED_IN,
    body=schemas.StepUpIn,
    answer=schemas.TokensOut,
    max_body=credentials.MAX_BODY,
)
def step_up(call: Call[schemas.StepUpIn], auth: Auth) -> Answer:
    """Prove once more who you are; the tokens answered open what is sensitive for fifteen minutes."""
    body, tenant, caller = call.body, call.tenant, _caller(call)
    if body.passkey is not None:
        answer = body.passkey
        found = auth.proofs.step_up_by_passkey(tenant, answer.ticket, answer.credential.sent(), caller)
    else:
        found = auth.proofs.step_up(tenant, caller, password=body.password, code=body.code)
    return Answer(schemas.tokens(found))


@routes.act("POST", "/api/v1/auth/step-up/passkey/options", permission=SIGNED_IN, answer=credentials.CeremonyOut)
def ask_to_step_up(call: Call[None], auth: Auth) -> Answer:
    """Get what to ask your passkeys for a step-up."""
    return Answer(auth.proofs.ask_passkey(call.tenant))


@routes.read("/api/v1/auth/mfa", permission=SIGNED_IN, answer=schemas.FactorsOut)
def factors(call: Call[None], auth: Auth) -> Answer:
    """Show what you have set up beside the password."""
    return Answer(auth.proofs.factors(call.tenant))


@routes.act(
    "POST",
    "/api/v1/auth/mfa/totp",
    permission=SIGNED_IN,
    answer=schemas.EnrollmentOut,
    status=201,
    recent=True,
)
def begin_totp(call: Call[None], auth: Auth) -> Answer:
    """Begin to set up an authenticator app; it counts once its first code is confirmed."""
    return Answer(auth.proofs.begin_mfa(call.tenant))


@routes.act(
    "POST",
    "/api/v1/auth/mfa/totp/confirm",
    permission=SIGNED_IN,
    body=schemas.CodeIn,
    answer=schemas.ConfirmedOut,
)
def confirm_totp(call: Call[schemas.CodeIn], auth: Auth) -> Answer:
    """Confirm the authenticator app; your other sessions in this organization end."""
    codes, tokens = auth.proofs.confirm_mfa(call.tenant, call.body.code, _caller(call))
    return Answer({"recovery_codes": codes, **schemas.tokens(tokens)})


@routes.act("DELETE", "/api/v1/auth/mfa/totp", permission=SIGNED_IN, status=204, recent=True)
def remove_totp(call: Call[None], auth: Auth) -> Answer:
    """Take the authenticator app away; with the last second factor the recovery codes go too."""
    auth.proofs.remove_mfa(call.tenant, _caller(call))
    return Answer()


@routes.read("/api/v1/auth/mfa/passkeys", permission=SIGNED_IN, answer=credentials.PasskeysOut)
def passkeys(call: Call[None], auth: Auth) -> Answer:
    """List your passkeys."""
    return Answer({"items": [credentials.passkey(one) for one in auth.proofs.passkeys(call.tenant)]})


@routes.act(
    "POST",
    "/api/v1/auth/mfa/passkeys/begin",
    permission=SIGNED_IN,
    answer=credentials.CeremonyOut,
    recent=True,
)
def begin_passkey(call: Call[None], auth: Auth) -> Answer:
    """Begin to set up a passkey: get what to ask your authenticator."""
    return Answer(auth.proofs.begin_passkey(call.tenant))


@routes.act(
    "POST",
    "/api/v1/auth/mfa/passkeys",
    permission=SIGNED_IN,
    body=schemas.PasskeyIn,
    answer=schemas.PasskeyAddedOut,
    status=201,
    max_body=credentials.MAX_BODY,
)
def add_passkey(call: Call[schemas.PasskeyIn], auth: Auth) -> Answer:
    """Set a passkey up with its answer; with your first second factor your other sessions here end."""
    body = call.body
    added, codes, tokens = auth.proofs.add_passkey(
        call.tenant, body.ticket, body.credential.sent(), body.name, _caller(call)
    )
    return Answer({"passkey": credentials.passkey(added), "recovery_codes": codes, **schemas.tokens(tokens)})


@routes.act("DELETE", "/api/v1/auth/mfa/passkeys/{credential}", permission=SIGNED_IN, status=204, recent=True)
def remove_passkey(call: Call[None], auth: Auth) -> Answer:
    """Take a passkey away; with the last second factor the recovery codes go too."""
    auth.proofs.remove_passkey(call.tenant, call.path["credential"], _caller(call))
    return Answer()


@routes.act(
    "POST",
    "/api/v1/auth/mfa/recovery-codes",
    permission=SIGNED_IN,
    answer=schemas.RecoveryCodesOut,
    status=201,
    recent=True,
)
def renew_codes(call: Call[None], auth: Auth) -> Answer:
    """Get ten new recovery codes; those before are void."""
    return Answer({"recovery_codes": auth.proofs.renew_codes(call.tenant, _caller(call))})


@routes.act("POST", "/api/v1/auth/refresh", proof=Proof.PUBLIC, body=schemas.RefreshIn, answer=schemas.TokensOut)
def refresh(call: Call[schemas.RefreshIn], auth: Auth) -> Answer:
    """Exchange a refresh token for fresh tokens; it is then used up."""
    return Answer(schemas.tokens(auth.identity.refresh(call.body.refresh_token, _caller(call))))


@routes.act("POST", "/api/v1/auth/logout", permission=SIGNED_IN, status=204)
def logout(call: Call[None], auth: Auth) -> Answer:
    """End this session: its refresh token is no longer good, nor, within five seconds, its access token."""
    auth.identity.log_out(call.tenant)
    return Answer()


@routes.act("POST", "/api/v1/auth/logout/everywhere", permission=SIGNED_IN, status=204)
def log_out_everywhere(call: Call[None], auth: Auth) -> Answer:
    """End every session of yours, in every organization, this one included."""
    auth.account.log_out_everywhere(call.tenant)
    return Answer()


@routes.act(
    "POST",
    "/api/v1/auth/switch",
    permission=SIGNED_IN,
    body=schemas.SwitchIn,
    answer=schemas.SwitchedOut,
)
def switch(call: Call[schemas.SwitchIn], auth: Auth) -> Answer:
    """Exchange the token for one of another organization of the same user."""
    membership, tokens = auth.identity.switch(call.tenant, call.body.organization, _caller(call))
    return Answer({"organization": schemas.organization(membership), **schemas.tokens(tokens)})


@routes.read("/api/v1/auth/sessions", permission=SIGNED_IN, answer=schemas.SessionsOut)
def sessions(call: Call[None], auth: Auth) -> Answer:
    """List your living sessions in this organization."""
    present = call.tenant.session
    return Answer({"items": [schemas.session(one, present) for one in auth.identity.sessions(call.tenant)]})


@routes.act("DELETE", "/api/v1/auth/sessions/{session_id}", permission=SIGNED_IN, status=204)
def end_session(call: Call[None], auth: Auth) -> Answer:
    """End one of your sessions."""
    auth.identity.end_session(call.tenant, call.id("session_id"))
    return Answer()


@routes.write(
    "POST",
    "/api/v1/api-keys",
    permission="keys.write",
    body=schemas.ApiKeyIn,
    answer=schemas.ApiKeyOut,
    status=201,
    recent=True,
)
def make_key(call: Call[schemas.ApiKeyIn], tx: Transaction, auth: Auth) -> Answer:
    """Make an API or device key; its text is in this answer and nowhere else."""
    body = call.body
    networks = tuple(map(str, body.networks))
    key = auth.keys.make(tx, body.name, tuple(body.scopes), expires_at=body.expires_at, networks=networks)
    # A repeated Idempotency-Key is answered without the key's text, which is kept nowhere.
    return Answer(schemas.api_key(key), kept=schemas.api_key(replace(key, text="")))


@routes.read("/api/v1/api-keys", permission="keys.read", answer=schemas.ApiKeysOut)
def keys(call: Call[None], auth: Auth) -> Answer:
    """List the organization's keys."""
    return Answer({"items": [schemas.api_key(key) for key in auth.keys.all(call.tenant)]})


@routes.write("DELETE", "/api/v1/api-keys/{prefix}", permission="keys.write", status=204, recent=True)
def revoke_key(call: Call[None], tx: Transaction, auth: Auth) -> Answer:
    """Revoke a key; it stops within ten seconds."""
    auth.keys.revoke(tx, call.path["prefix"])
    return Answer()


@routes.write(
    "POST",
    "/api/v1/api-keys/{prefix}/rotate",
    permission="keys.write",
    body=schemas.RotateIn,
    answer=schemas.ApiKeyOut,
    status=201,
    recent=True,
)
def rotate_key(call: Call[schemas.RotateIn], tx: Transaction, auth: Auth) -> Answer:
    """Replace a key by one like it; the one before goes on for the hours you say."""
    key = auth.keys.rotate(tx, call.path["prefix"], timedelta(hours=call.body.grace_hours))
    return Answer(schemas.api_key(key), kept=schemas.api_key(replace(key, text="")))


@routes.read("/.well-known/jwks.json", proof=Proof.PUBLIC, answer=schemas.JwksOut)
def jwks(_call: Call[None], auth: Auth) -> Answer:
    """The public keys that access tokens are, were lately or will soon be signed with."""
    keys = [jwk(key) for key in auth.ring.published()]
    return Answer({"keys": keys}, headers={"cache-control": "public, max-age=300"})


@routes.read("/.well-known/openid-configuration", proof=Proof.PUBLIC, answer=schemas.DiscoveryOut)
def discovery(_call: Call[None], auth: Auth) -> Answer:
    """Where verifiers find what they need."""
    return Answer(
        {
            "issuer": auth.issuer,
            "jwks_uri": f"{auth.issuer}/.well-known/jwks.json",
            "token_endpoint": f"{auth.issuer}/api/v1/auth/login",
            "response_types_supported": ["token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        },
        headers={"cache-control": "public, max-age=300"},
    )
