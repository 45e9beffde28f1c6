"""What targets refuse."""

from tenant_context.errors import Conflict, FieldError, Invalid, NotFound


class TargetNotFound(NotFound):
    """No such target of this tenant."""

    code, title = "target-not-found", "There is no such target"


class TargetExists(Conflict):
    """The place has a target of the metric, the period and the currency."""

    code, title = "target-exists", "The place has such a target (metric, period, currency); change that one"


class TooManyTargets(Conflict):
    """An organization has so many targets and no more."""

    code, title = "too-many-targets", "There are too many targets"


class WrongTarget(Invalid):
    """A target that cannot be."""

    code, title = "wrong-target", "The target cannot be"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))


class WrongCascade(Invalid):
    """A way to share a target out that leads nowhere."""

    code, title = "wrong-cascade", "The target cannot be shared out so"

    def __init__(self, pointer: str, code: str, message: str) -> None:
        super().__init__(errors=(FieldError(pointer, code, message),))
