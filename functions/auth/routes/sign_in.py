"""Signing up, joining and logging in."""

from functions.auth.routes.declared import Auth, caller_of, routes
from functions.auth.schemas import passkeys, sign_in, signed_in
from tenant_context.routing import SIGNED_IN, Answer, Call, Proof


@routes.act(
    "POST",
    "/api/v1/auth/signup",
    proof=Proof.PUBLIC,
    body=sign_in.SignUpIn,
    answer=signed_in.SignedInOut,
    status=201,
    fails=(429,),
)
def signup(call: Call[sign_in.SignUpIn], auth: Auth) -> Answer:
    """Sign up: a user, an organization they own, and tokens; billing follows by itself.

    Repeated with the same address, organization and password, it answers the same organization and fresh tokens, with
    an Idempotency-Key or without. A key is one address's and organization's, and holds for a day; with another name or
    plan it is refused.
    """
    came = auth.sign_ups.sign_up(call.body.sign_up(), caller_of(call), call.headers.get("idempotency-key"))
    auth.recovery.ask_to_confirm(came.user, came.membership.tenant, call.request_id)
    return Answer(signed_in.signed_in(came))


@routes.act(
    "POST",
    "/api/v1/auth/invitations/sign-up",
    proof=Proof.PUBLIC,
    body=sign_in.JoinAnewIn,
    answer=signed_in.SignedInOut,
    status=201,
    fails=(403, 429),
)
def join_anew(call: Call[sign_in.JoinAnewIn], auth: Auth) -> Answer:
    """Accept an invitation as a new user."""
    body = call.body
    return Answer(signed_in.signed_in(auth.identity.join_anew(body.token, body.name, body.password, caller_of(call))))


@routes.act(
    "POST",
    "/api/v1/auth/invitations/accept",
    permission=SIGNED_IN,
    body=sign_in.JoinIn,
    answer=signed_in.SwitchedOut,
    fails=(409,),
)
def join(call: Call[sign_in.JoinIn], auth: Auth) -> Answer:
    """Accept an invitation as the user you are, and get tokens for that organization."""
    membership, tokens = auth.identity.join(call.tenant, call.body.token, caller_of(call))
    return Answer({"organization": signed_in.organization(membership), **signed_in.tokens(tokens)})


@routes.act(
    "POST", "/api/v1/auth/login", proof=Proof.PUBLIC, body=sign_in.LogInIn, answer=sign_in.LoggedInOut, fails=(403, 429)
)
def login(call: Call[sign_in.LogInIn], auth: Auth) -> Answer:
    """Log in with mail address and password; a user with a second factor gets a challenge instead of tokens."""
    body = call.body
    came = auth.identity.log_in(body.email, body.password, body.organization, caller_of(call), body.device_token)
    return Answer(sign_in.logged_in(came))


@routes.act(
    "POST",
    "/api/v1/auth/login/verify",
    proof=Proof.PUBLIC,
    body=sign_in.VerifyIn,
    answer=signed_in.SignedInOut,
    fails=(403, 429),
)
def verify(call: Call[sign_in.VerifyIn], auth: Auth) -> Answer:
    """Finish a log-in with a code of the authenticator app or a recovery code."""
    return Answer(signed_in.signed_in(auth.identity.answer(call.body.challenge, call.body.code, caller_of(call))))


@routes.act(
    "POST",
    "/api/v1/auth/login/passkey/options",
    proof=Proof.PUBLIC,
    body=sign_in.PasskeyAskIn,
    answer=passkeys.CeremonyOut,
    fails=(404,),
)
def ask_to_log_in(call: Call[sign_in.PasskeyAskIn], auth: Auth) -> Answer:
    """Get what to ask a passkey for a log-in: by the passkey alone, or as the second step after the password."""
    return Answer(auth.identity.ask_passkey(call.body.challenge))


@routes.act(
    "POST",
    "/api/v1/auth/login/passkey",
    proof=Proof.PUBLIC,
    body=sign_in.PasskeyLogInIn,
    answer=signed_in.SignedInOut,
    max_body=passkeys.MAX_BODY,
    fails=(403, 429),
)
def login_by_passkey(call: Call[sign_in.PasskeyLogInIn], auth: Auth) -> Answer:
    """Log in with a passkey, or finish a log-in with one."""
    body = call.body
    came = auth.identity.answer_passkey(
        body.ticket, body.credential.sent(), body.organization, caller_of(call), body.device_token
    )
    return Answer(signed_in.signed_in(came))
