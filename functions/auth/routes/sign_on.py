"""Log-in by an organization's identity provider."""

from functions.auth.routes.declared import Auth, caller_of, routes
from functions.auth.schemas import sign_on as wire
from functions.auth.schemas import signed_in
from tenant_context.routing import Answer, Call, Proof


@routes.act("POST", "/api/v1/auth/sso", proof=Proof.PUBLIC, body=wire.SignOnIn, answer=wire.SignOnOut, fails=(404,))
def start_sign_on(call: Call[wire.SignOnIn], auth: Auth) -> Answer:
    """Begin a log-in by an organization's identity provider: send the browser to the address answered."""
    body = call.body
    url, login = auth.sign_on.start(body.organization or body.email or "", body.return_to, caller_of(call))
    return Answer({"authorization_url": url, "login": login})


@routes.act(
    "GET", "/api/v1/auth/sso/callback", proof=Proof.PUBLIC, query=wire.CallbackQuery, status=302, fails=(401, 403, 409)
)
def come_back(call: Call[None], auth: Auth) -> Answer:
    """Where the provider sends the browser; goes on to the application, with a code for it."""
    query: wire.CallbackQuery = call.query
    where = auth.sign_on.callback(query.state, query.code, query.iss, caller_of(call))
    return Answer(status=302, headers={"location": where})


@routes.act(
    "POST",
    "/api/v1/auth/sso/finish",
    proof=Proof.PUBLIC,
    body=wire.FinishIn,
    answer=signed_in.SignedInOut,
    fails=(403,),
)
def finish_sign_on(call: Call[wire.FinishIn], auth: Auth) -> Answer:
    """Finish a log-in by an identity provider, with the browser's code and what the beginning answered."""
    body = call.body
    return Answer(signed_in.signed_in(auth.sign_on.finish(body.code, body.login, caller_of(call), body.device_token)))
