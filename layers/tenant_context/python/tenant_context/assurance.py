"""How sure we have to be of who somebody is, beyond a token that is good."""

from tenant_context.errors import Forbidden, Unauthenticated

RECENT_SECONDS = 15 * 60
"""How long ago a user may have proved who they are, for what is sensitive."""


class SecondFactorRequired(Forbidden):
    """A user of a tenant that asks for a second factor, who has none yet."""

    code, title = "second-factor-required", "A second factor is needed first"


class StepUpRequired(Unauthenticated):
    """Proved too long ago for something sensitive (RFC 9470)."""

    code, title = "step-up-required", "Prove once more who you are"

    def __init__(self, max_age: int) -> None:
        super().__init__("This is sensitive: prove who you are at /api/v1/auth/step-up, then ask again.")
        self.headers["www-authenticate"] = (
            f'Bearer realm="rmap", error="insufficient_user_authentication", max_age="{max_age}"'
        )
