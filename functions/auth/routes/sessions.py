"""Sessions, and the organization they are in."""

from functions.auth.routes.declared import Auth, caller_of, routes
from functions.auth.schemas import sessions as wire
from functions.auth.schemas import signed_in
from tenant_context.routing import SIGNED_IN, Answer, Call, Proof


@routes.act(
    "POST", "/api/v1/auth/refresh", proof=Proof.PUBLIC, body=wire.RefreshIn, answer=signed_in.TokensOut, fails=(403,)
)
def refresh(call: Call[wire.RefreshIn], auth: Auth) -> Answer:
    """Exchange a refresh token for fresh tokens; it is then used up."""
    return Answer(signed_in.tokens(auth.identity.refresh(call.body.refresh_token, caller_of(call))))


@routes.act("POST", "/api/v1/auth/logout", permission=SIGNED_IN, status=204)
def logout(call: Call[None], auth: Auth) -> Answer:
    """End this session: its refresh token is no longer good, nor, within five seconds, its access token."""
    auth.identity.log_out(call.tenant, caller_of(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/logout/everywhere", permission=SIGNED_IN, status=204)
def log_out_everywhere(call: Call[None], auth: Auth) -> Answer:
    """End every session of yours, in every organization, this one included."""
    auth.account.log_out_everywhere(call.tenant, caller_of(call))
    return Answer()


@routes.act(
    "POST",
    "/api/v1/auth/switch",
    permission=SIGNED_IN,
    body=wire.SwitchIn,
    answer=signed_in.SwitchedOut,
)
def switch(call: Call[wire.SwitchIn], auth: Auth) -> Answer:
    """Exchange the token for one of another organization of the same user."""
    membership, tokens = auth.identity.switch(call.tenant, call.body.organization, caller_of(call))
    return Answer({"organization": signed_in.organization(membership), **signed_in.tokens(tokens)})


@routes.read("/api/v1/auth/sessions", permission=SIGNED_IN, answer=wire.SessionsOut)
def sessions(call: Call[None], auth: Auth) -> Answer:
    """List your living sessions in this organization."""
    present = call.tenant.session
    return Answer({"items": [wire.session(one, present) for one in auth.identity.sessions(call.tenant)]})


@routes.act("DELETE", "/api/v1/auth/sessions/{session_id}", permission=SIGNED_IN, status=204)
def end_session(call: Call[None], auth: Auth) -> Answer:
    """End one of your sessions."""
    auth.identity.end_session(call.tenant, call.id("session_id"), caller_of(call))
    return Answer()
