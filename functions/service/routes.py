"""The addresses of the service itself. What is not declared anywhere ends here too, as a 404."""

from functions.service.operations import Operations
from functions.service.pages import Pages
from functions.service.schemas import DetailedHealthOut, HealthOut, ReadyOut
from tenant_context.routing import Answer, Call, Proof, Routes

routes = Routes()


class Service:
    """What the routes need."""

    def __init__(self, operations: Operations, pages: Pages) -> None:
        self.operations = operations
        self.pages = pages

    @property
    def version(self) -> str:
        """The deployed version."""
        return self.operations.runtime.version


@routes.read("/health", proof=Proof.PUBLIC, answer=HealthOut)
def health(_call: Call[None], service: Service) -> Answer:
    """Tell that the function runs."""
    return Answer({"status": "alive", "version": service.version})


@routes.read("/ready", proof=Proof.PUBLIC, answer=ReadyOut)
def ready(_call: Call[None], service: Service) -> Answer:
    """Tell whether requests can be served: 503 while the database does not answer."""
    service.operations.require_database()
    return Answer({"status": "ready", "version": service.version})


@routes.read("/health/detailed", proof=Proof.OPERATOR, answer=DetailedHealthOut)
def detailed_health(_call: Call[None], service: Service) -> Answer:
    """Tell how each component is; the status is 503 when one is down."""
    report = service.operations.detailed()
    return Answer(report, status=200 if report["status"] == "up" else 503)


@routes.read("/metrics", proof=Proof.OPERATOR, answer=str)
def metrics(_call: Call[None], service: Service) -> Answer:
    """The platform's numbers in Prometheus' text format."""
    text = service.operations.metrics()
    return Answer(text.encode(), content_type="text/plain; version=0.0.4; charset=utf-8")


@routes.read("/openapi.json", proof=Proof.PUBLIC, answer=dict)
def description(_call: Call[None], service: Service) -> Answer:
    """This description."""
    return service.pages.description(".")


@routes.read("/api/v1/openapi.json", proof=Proof.PUBLIC, answer=dict)
def description_of_v1(_call: Call[None], service: Service) -> Answer:
    """This description, below the version it describes."""
    return service.pages.description("../..")


@routes.read("/docs", proof=Proof.PUBLIC, hidden=True)
def docs(_call: Call[None], service: Service) -> Answer:
    """The page to try the API."""
    return service.pages.page()


@routes.read("/api/v1/docs", proof=Proof.PUBLIC, hidden=True)
def docs_of_v1(_call: Call[None], service: Service) -> Answer:
    """The page to try the API."""
    return service.pages.page()


@routes.read("/docs/", proof=Proof.PUBLIC, hidden=True)
def docs_with_slash(_call: Call[None], _service: Service) -> Answer:
    """Lead to the address without the slash, from which the page's relative addresses count."""
    return Answer(status=308, headers={"location": "../docs"})


@routes.read("/api/v1/docs/", proof=Proof.PUBLIC, hidden=True)
def docs_of_v1_with_slash(_call: Call[None], _service: Service) -> Answer:
    """Lead to the address without the slash."""
    return Answer(status=308, headers={"location": "../docs"})


@routes.read("/docs/{file}", proof=Proof.PUBLIC, hidden=True)
def page_file(call: Call[None], service: Service) -> Answer:
    """A file of the page."""
    return service.pages.file(call.path["file"], call.headers.get("if-none-match", ""))


@routes.read("/api/v1/docs/{file}", proof=Proof.PUBLIC, hidden=True)
def page_file_of_v1(call: Call[None], service: Service) -> Answer:
    """A file of the page."""
    return service.pages.file(call.path["file"], call.headers.get("if-none-match", ""))
