"""What strangers answer that we do not accept."""

from tenant_context.errors import Invalid, RmapError


class ProviderUnreachable(Invalid):
    """The identity provider did not answer, or not as one: a tenant's own server, so no fault of ours."""

    code, title = "provider-unreachable", "The identity provider does not answer as one"


class ProviderRefused(Invalid):
    """The provider's own description is not one that can be used."""

    code, title = "provider-refused", "The identity provider cannot be used"


class LoginRefused(Invalid):
    """What the provider says about a log-in does not hold."""

    code, title = "login-refused", "The identity provider's answer does not hold"


class NamesUnreachable(RmapError):
    """DNS did not answer."""

    status, code, title = 503, "dns-unreachable", "DNS does not answer; try again"


class ListUnreachable(RmapError):
    """The list of breached passwords did not answer."""

    status, code, title = 503, "list-unreachable", "The list of breached passwords does not answer"
