"""Logs, metrics and traces of an invocation, through Powertools.

Every line of an invocation is JSON with level, timestamp, requestId and operation, and with tenantId and userId from
when the caller is known. The last one, `done`, adds duration (ms) and success. Nothing is kept between invocations: a
warm sandbox remembers its last caller otherwise.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from tenant_context.context import TenantContext

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer


_TAKEN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def _free(keys: dict[str, Any]) -> dict[str, Any]:
    """Keys under names that Python's logging does not claim for itself: it raises on those."""
    return {f"{name}_" if name in _TAKEN else name: value for name, value in keys.items()}


class Observability:
    """The voice of one function."""

    def __init__(self, service: str, *, local: bool = False, tracing: bool = False) -> None:
        self._logger = Logger(service=service, use_rfc3339=True, utc=True)
        self._metrics = Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "RMAP"), service=service)
        self._local = local
        self._service = service
        self._tracing = tracing

    def info(self, phrase: str, **keys: Any) -> None:
        """Something happened, as it should."""
        self._logger.info(phrase, extra=_free(keys))

    def warning(self, phrase: str, **keys: Any) -> None:
        """Something to look at; nothing was lost."""
        self._logger.warning(phrase, extra=_free(keys))

    def exception(self, phrase: str, **keys: Any) -> None:
        """An error nobody foresaw, with its stack trace."""
        self._logger.exception(phrase, extra=_free(keys))  # noqa: LOG004  called where an error was caught

    def failure(self, phrase: str, error: Exception, **keys: Any) -> None:
        """The same of an error that was caught before."""
        self._logger.error(phrase, exc_info=error, extra=_free(keys))

    def of_record(self, record: str, operation: str, tenant: TenantContext, phrase: str, **keys: Any) -> None:
        """The one line of one record among those that are worked on together: it names its own request and caller.

        Written as Powertools would, which takes ten times as long.
        """
        if self._logger.log_level > logging.INFO:
            return
        line = {
            "level": "INFO",
            "message": phrase,
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "service": self._service,
            "requestId": record,
            "operation": operation,
            "tenantId": str(tenant.tenant),
            "userId": None,
            **keys,
        }
        sys.stdout.write(f"{msgspec.json.encode(line).decode()}\n")

    def count(self, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
        """Add to a metric of this invocation."""
        self._metrics.add_metric(name=name, unit=unit, value=value)

    def seconds(self, name: str, value: float) -> None:
        """Note how long something took, or how late it was, in a metric of this invocation."""
        self.count(name, value, MetricUnit.Seconds)

    @contextmanager
    def invocation(self, request_id: str, operation: str) -> Iterator["Invocation"]:
        """The span of one request, message or schedule; ends with one log line and its metrics."""
        if self._local:
            # The local endpoint waits up to 50 ms for a function's first line on stderr.
            sys.stderr.write("invocation\n")
            sys.stderr.flush()
        self._logger.clear_state()
        self._logger.append_keys(requestId=request_id, operation=operation)
        invocation = Invocation(self._logger, operation)
        with self._traced(invocation):
            try:
                yield invocation
            except BaseException:
                invocation.success = False
                raise
            finally:
                self._finish(invocation)

    @contextmanager
    def _traced(self, invocation: "Invocation") -> Iterator[None]:
        """A subsegment of X-Ray's trace; its annotations can be searched for."""
        if not self._tracing or "Sampled=1" not in os.environ.get("_X_AMZN_TRACE_ID", ""):
            yield
            return
        with self._tracer.provider.in_subsegment("## invocation") as subsegment:
            try:
                yield
            finally:
                subsegment.put_annotation("operation", invocation.operation)
                subsegment.put_annotation("tenant", invocation.tenant)
                subsegment.put_annotation("success", invocation.success)

    @cached_property
    def _tracer(self) -> "Tracer":
        """Powertools' tracer. X-Ray's library costs 50 ms: no start pays them, only the first sampled invocation."""
        from aws_lambda_powertools import Tracer  # noqa: PLC0415

        return Tracer(service=self._service, auto_patch=False)

    def _finish(self, invocation: "Invocation") -> None:
        duration = invocation.elapsed_ms()
        self._metrics.add_dimension(name="operation", value=invocation.operation)
        self._metrics.add_metric(name="Duration", unit=MetricUnit.Milliseconds, value=duration)
        failures = max(invocation.failures, int(not invocation.success))
        self._metrics.add_metric(name="Failures", unit=MetricUnit.Count, value=failures)
        self._metrics.flush_metrics()
        self._logger.info(
            "done",
            extra={"duration": duration, "success": invocation.success, **_free(invocation.keys)},
        )


class Invocation:
    """What is known of the invocation so far."""

    def __init__(self, logger: Logger, operation: str) -> None:
        self._logger = logger
        self._started = time.perf_counter()
        self._operation = operation
        self.success = True
        self.failures = 0
        """Of the records that were worked on together."""
        self.tenant = ""
        self.keys: dict[str, Any] = {}

    @property
    def operation(self) -> str:
        """What is being done, as far as it is known by now."""
        return self._operation

    @operation.setter
    def operation(self, name: str) -> None:
        self._operation = name
        self._logger.append_keys(operation=name)

    def caller(self, tenant: TenantContext) -> None:
        """Say who is asking in every line from here on."""
        self.tenant = str(tenant.tenant)
        self._logger.append_keys(tenantId=str(tenant.tenant), userId=str(tenant.user) if tenant.user else None)

    def elapsed_ms(self) -> float:
        """Milliseconds since the invocation began."""
        return round((time.perf_counter() - self._started) * 1000, 3)
