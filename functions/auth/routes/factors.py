"""Second factors, and proving once more."""

from functions.auth.routes.declared import Auth, caller_of, routes
from functions.auth.schemas import factors as wire
from functions.auth.schemas import passkeys as passkeys_wire
from functions.auth.schemas import signed_in
from tenant_context.routing import SIGNED_IN, Answer, Call


@routes.act(
    "POST",
    "/api/v1/auth/step-up",
    permission=SIGNED_IN,
    body=wire.StepUpIn,
    answer=signed_in.TokensOut,
    max_body=passkeys_wire.MAX_BODY,
)
def step_up(call: Call[wire.StepUpIn], auth: Auth) -> Answer:
    """Prove once more who you are; the tokens answered open what is sensitive for fifteen minutes."""
    body, tenant, caller = call.body, call.tenant, caller_of(call)
    if body.passkey is not None:
        answer = body.passkey
        found = auth.proofs.step_up_by_passkey(tenant, answer.ticket, answer.credential.sent(), caller)
    else:
        found = auth.proofs.step_up(tenant, caller, password=body.password, code=body.code)
    return Answer(signed_in.tokens(found))


@routes.act(
    "POST", "/api/v1/auth/step-up/passkey/options", permission=SIGNED_IN, answer=passkeys_wire.CeremonyOut, fails=(404,)
)
def ask_to_step_up(call: Call[None], auth: Auth) -> Answer:
    """Get what to ask your passkeys for a step-up."""
    return Answer(auth.proofs.ask_passkey(call.tenant))


@routes.read("/api/v1/auth/mfa", permission=SIGNED_IN, answer=wire.FactorsOut)
def factors(call: Call[None], auth: Auth) -> Answer:
    """Show what you have set up beside the password."""
    return Answer(auth.proofs.factors(call.tenant))


@routes.act(
    "POST",
    "/api/v1/auth/mfa/totp",
    permission=SIGNED_IN,
    answer=wire.EnrollmentOut,
    status=201,
    recent=True,
    fails=(409,),
)
def begin_totp(call: Call[None], auth: Auth) -> Answer:
    """Begin to set up an authenticator app; it counts once its first code is confirmed."""
    return Answer(auth.proofs.begin_mfa(call.tenant))


@routes.act(
    "POST",
    "/api/v1/auth/mfa/totp/confirm",
    permission=SIGNED_IN,
    body=wire.CodeIn,
    answer=wire.ConfirmedOut,
    fails=(404, 409),
)
def confirm_totp(call: Call[wire.CodeIn], auth: Auth) -> Answer:
    """Confirm the authenticator app; your other sessions in this organization end."""
    codes, tokens = auth.proofs.confirm_mfa(call.tenant, call.body.code, caller_of(call))
    return Answer({"recovery_codes": codes, **signed_in.tokens(tokens)})


@routes.act("DELETE", "/api/v1/auth/mfa/totp", permission=SIGNED_IN, status=204, recent=True, fails=(404,))
def remove_totp(call: Call[None], auth: Auth) -> Answer:
    """Take the authenticator app away; with the last second factor the recovery codes go too."""
    auth.proofs.remove_mfa(call.tenant, caller_of(call))
    return Answer()


@routes.read("/api/v1/auth/mfa/passkeys", permission=SIGNED_IN, answer=passkeys_wire.PasskeysOut)
def passkeys(call: Call[None], auth: Auth) -> Answer:
    """List your passkeys."""
    return Answer({"items": [passkeys_wire.passkey(one) for one in auth.proofs.passkeys(call.tenant)]})


@routes.act(
    "POST",
    "/api/v1/auth/mfa/passkeys/begin",
    permission=SIGNED_IN,
    answer=passkeys_wire.CeremonyOut,
    recent=True,
    fails=(409,),
)
def begin_passkey(call: Call[None], auth: Auth) -> Answer:
    """Begin to set up a passkey: get what to ask your authenticator."""
    return Answer(auth.proofs.begin_passkey(call.tenant))


@routes.act(
    "POST",
    "/api/v1/auth/mfa/passkeys",
    permission=SIGNED_IN,
    body=wire.PasskeyIn,
    answer=wire.PasskeyAddedOut,
    status=201,
    max_body=passkeys_wire.MAX_BODY,
    fails=(409,),
)
def add_passkey(call: Call[wire.PasskeyIn], auth: Auth) -> Answer:
    """Set a passkey up with its answer; with your first second factor your other sessions here end."""
    body = call.body
    added, codes, tokens = auth.proofs.add_passkey(
        call.tenant, body.ticket, body.credential.sent(), body.name, caller_of(call)
    )
    return Answer({"passkey": passkeys_wire.passkey(added), "recovery_codes": codes, **signed_in.tokens(tokens)})


@routes.act("DELETE", "/api/v1/auth/mfa/passkeys/{credential}", permission=SIGNED_IN, status=204, recent=True)
def remove_passkey(call: Call[None], auth: Auth) -> Answer:
    """Take a passkey away; with the last second factor the recovery codes go too."""
    auth.proofs.remove_passkey(call.tenant, call.path["credential"], caller_of(call))
    return Answer()


@routes.act(
    "POST",
    "/api/v1/auth/mfa/recovery-codes",
    permission=SIGNED_IN,
    answer=wire.RecoveryCodesOut,
    status=201,
    recent=True,
    fails=(404,),
)
def renew_codes(call: Call[None], auth: Auth) -> Answer:
    """Get ten new recovery codes; those before are void."""
    return Answer({"recovery_codes": auth.proofs.renew_codes(call.tenant, caller_of(call))})
