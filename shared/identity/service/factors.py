"""Second factors: an authenticator app (RFC 6238), and recovery codes for when it is lost."""

import base64
import io
import re
import secrets
from collections.abc import Callable
from uuid import UUID

from shared.identity import rules
from shared.identity.errors import FactorExists, FactorNotFound, WrongCode
from shared.identity.gateway.codes import step_of
from shared.identity.gateway.fields import UserSecrets
from shared.identity.model import Assurance, Enrollment, Factors
from shared.identity.repository.factors import FactorRepository
from shared.identity.service.throttle import Throttle
from shared.identity.service.ways_in import require_factor
from tenant_context.clock import Clock

_PURPOSE = "totp"
_BRAND = "RMAP"


class SecondFactors:
    """Sets factors up, checks codes and takes factors away."""

    def __init__(
        self, factors: FactorRepository, user_secrets: UserSecrets, throttle: Throttle, pepper: str, clock: Clock
    ) -> None:
        self._factors = factors
        self._secrets = user_secrets
        self._throttle = throttle
        self._pepper = pepper
        self._clock = clock

    def of(self, user: UUID) -> Factors:
        """What the user has set up."""
        return self._factors.of(user)

    def begin(self, user: UUID, email: str) -> Enrollment:
        """A fresh secret for an authenticator app; it counts from its first code on. Errors: FactorExists."""
        secret = base64.b32encode(secrets.token_bytes(20)).decode()
        if not self._factors.begin_totp(user, self._secrets.seal(user, _PURPOSE, secret.encode())):
            raise FactorExists
        import pyotp  # noqa: PLC0415  only an enrollment names its secret

        uri = pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_BRAND)
        return Enrollment(secret, uri, _drawn(uri))

    def confirm(self, user: UUID, code: str, address: str) -> list[str]:
        """The app's first code sets it up; answers recovery codes, where there were none.

        Errors: FactorNotFound, WrongCode, TooManyTries, FactorExists.
        """
        totp = self._factors.totp(user)
        if totp is None:
            raise FactorNotFound
        if totp.confirmed:
            raise FactorExists
        self._check(user, address, "", lambda: self._by_app(user, code, confirmed=False))
        return self.first_codes(user)

    def first_codes(self, user: UUID) -> list[str]:
        """Recovery codes for somebody who has none, else nothing: those printed already stay good."""
        return [] if self._factors.of(user).recovery_codes else self.renew_codes(user)

    def renew_codes(self, user: UUID) -> list[str]:
        """Ten fresh recovery codes in place of any before; shown now and never again."""
        codes = [rules.recovery_code() for _ in range(rules.RECOVERY_CODES)]
        self._factors.put_codes(user, [rules.code_digest(code, user, self._pepper) for code in codes])
        return codes

    def remove(self, user: UUID) -> None:
        """Take the app away. Errors: FactorNotFound."""
        if self._factors.totp(user) is None:
            raise FactorNotFound
        self._factors.remove_totp(user)
        self.drop_idle_codes(user)

    def drop_idle_codes(self, user: UUID) -> None:
        """Take the recovery codes away from somebody who has no second factor left."""
        if not self._factors.of(user).methods:
            self._factors.remove_codes(user)

    def require(self, user: UUID, assurance: Assurance) -> None:
        """Whether a session stands on a second factor, where the user has one. Errors: SecondFactorRequired."""
        require_factor(self._factors, user, assurance)

    def check(self, user: UUID, code: str, address: str, device: str = "") -> str:
        """Use a code up; answers what it proves. A device that is known waits for nobody else's guesses.

        Errors: WrongCode, TooManyTries.
        """
        return self._check(user, address, device, lambda: self._proof(user, code))

    def _check(self, user: UUID, address: str, device: str, prove: Callable[[], str | None]) -> str:
        attempt = self._throttle.enter("code", str(user), address, device)
        proof = prove()
        if proof is None:
            self._throttle.failed(attempt)
            raise WrongCode
        self._throttle.succeeded(attempt)
        return proof

    def _proof(self, user: UUID, code: str) -> str | None:
        if re.fullmatch(r"[0-9]{6}", "".join(code.split())):
            return self._by_app(user, code, confirmed=True)
        return "recovery" if self._factors.use_code(user, rules.code_digest(code, user, self._pepper)) else None

    def _by_app(self, user: UUID, code: str, *, confirmed: bool) -> str | None:
        """A code of the app that is set up, or of the one that is about to be."""
        plain = "".join(code.split())
        totp = self._factors.totp(user)
        if totp is None or totp.confirmed != confirmed or re.fullmatch(r"[0-9]{6}", plain) is None:
            return None
        secret = self._secrets.open(user, _PURPOSE, totp.sealed).decode()
        step = step_of(plain, secret, self._clock())
        return "otp" if step is not None and self._factors.use_step(user, totp, step) else None


def _drawn(text: str) -> str:
    """A QR code in SVG."""
    import segno  # noqa: PLC0415  only an enrollment draws

    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="svg", scale=4, xmldecl=False, svgns=True, nl=False)
    return out.getvalue().decode()
