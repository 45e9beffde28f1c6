"""The wire's shapes of health."""

from typing import Literal

from tenant_context.wire import Out


class HealthOut(Out):
    """The function runs."""

    status: Literal["alive"]
    version: str


class ReadyOut(Out):
    """The function can serve."""

    status: Literal["ready"]
    version: str


class ComponentOut(Out):
    """One thing the platform needs; `milliseconds` is how long it took to answer."""

    name: str
    status: Literal["up", "down"]
    milliseconds: float
    detail: str


class SandboxOut(Out):
    """The Lambda sandbox that answered."""

    stage: str
    python: str
    uptime_seconds: float
    memory_bytes: int
    database_statements: int
    database_round_trips: int


class DetailedHealthOut(Out):
    """Every component, the sandbox that looked, and the platform's numbers."""

    status: Literal["up", "down"]
    version: str
    components: list[ComponentOut]
    sandbox: SandboxOut
    operations: dict[str, float]
