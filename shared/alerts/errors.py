"""What alerts refuse."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class RuleNotFound(NotFound):
    """No such rule of this tenant."""

    code, title = "alert-rule-not-found", "There is no such rule"


class AlertNotFound(NotFound):
    """No such alert of this tenant."""

    code, title = "alert-not-found", "There is no such alert"


class AlertResolved(Conflict):
    """The alert is over."""

    code, title = "alert-resolved", "The alert is resolved already"


class TooManyRules(Conflict):
    """An organization has so many rules and no more."""

    code, title = "too-many-alert-rules", "There are too many rules"


class WrongRule(Invalid):
    """A rule by which nothing could be told."""

    code, title = "wrong-alert-rule", "The rule cannot be"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))
