"""Users' own accounts."""

from functions.auth.routes.declared import Auth, caller_of, routes
from functions.auth.schemas import accounts
from tenant_context.routing import SIGNED_IN, Answer, Call, Proof


@routes.act("POST", "/api/v1/auth/confirm", permission=SIGNED_IN, body=accounts.ConfirmIn, status=204)
def confirm(call: Call[accounts.ConfirmIn], auth: Auth) -> Answer:
    """Confirm your mail address with the code that was sent there."""
    auth.recovery.confirm(call.tenant, call.body.token, caller_of(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/confirm/resend", permission=SIGNED_IN, status=202)
def confirm_again(call: Call[None], auth: Auth) -> Answer:
    """Have the code sent once more that confirms your mail address."""
    auth.recovery.ask_again(call.tenant, caller_of(call))
    return Answer()


@routes.act(
    "POST", "/api/v1/auth/password/forgot", proof=Proof.PUBLIC, body=accounts.ForgotIn, status=202, fails=(429,)
)
def forgot(call: Call[accounts.ForgotIn], auth: Auth) -> Answer:
    """Have a code sent by which you set a new password; the answer is the same for an unknown address."""
    auth.recovery.forgot(call.body.email, caller_of(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/password/reset", proof=Proof.PUBLIC, body=accounts.ResetIn, status=204, fails=(429,))
def reset(call: Call[accounts.ResetIn], auth: Auth) -> Answer:
    """Set a new password with the code of a mail; every session of yours ends."""
    auth.recovery.reset(call.body.token, call.body.password, caller_of(call))
    return Answer()


@routes.act("POST", "/api/v1/auth/password", permission=SIGNED_IN, body=accounts.PasswordIn, status=204)
def change_password(call: Call[accounts.PasswordIn], auth: Auth) -> Answer:
    """Change your password; every other session of yours ends."""
    auth.recovery.change(call.tenant, call.body.current_password, call.body.password, caller_of(call))
    return Answer()


@routes.read("/api/v1/auth/me", permission=SIGNED_IN, answer=accounts.MeOut)
def me(call: Call[None], auth: Auth) -> Answer:
    """Show who you are, where, and what you may do there."""
    user, confirmed = auth.recovery.me(call.tenant)
    here = {
        "organization": call.tenant.tenant,
        "role": call.tenant.role,
        "permissions": sorted(call.tenant.permissions),
    }
    return Answer({"id": user.id, "email": user.email, "name": user.name, "email_confirmed": confirmed, **here})


@routes.act("DELETE", "/api/v1/auth/me", permission=SIGNED_IN, status=204, recent=True, fails=(409,))
def end_account(call: Call[None], auth: Auth) -> Answer:
    """Delete your account: you leave every organization. Whose last owner you are keeps you."""
    auth.account.end(call.tenant, caller_of(call))
    return Answer()


@routes.act(
    "POST", "/api/v1/auth/email", permission=SIGNED_IN, body=accounts.EmailIn, status=202, recent=True, fails=(409,)
)
def change_email(call: Call[accounts.EmailIn], auth: Auth) -> Answer:
    """Ask to change your mail address; a code goes to each of the two, and both are needed."""
    auth.account.ask_to_change_email(call.tenant, call.body.email, caller_of(call))
    return Answer()


@routes.act(
    "POST",
    "/api/v1/auth/email/confirm",
    proof=Proof.PUBLIC,
    body=accounts.ConfirmIn,
    answer=accounts.EmailChangedOut,
    fails=(429,),
)
def confirm_email(call: Call[accounts.ConfirmIn], auth: Auth) -> Answer:
    """Confirm the change of a mail address with the code that was sent to either."""
    return Answer({"changed": auth.account.confirm_email(call.body.token, caller_of(call))})
