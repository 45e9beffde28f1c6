"""Routes as declarations: found, or not there, or there with other methods."""

from typing import Any

import pytest

from tenant_context.errors import BadRequest, MethodNotAllowed, NotFound, PreconditionRequired
from tenant_context.routing import Answer, Call, Proof, Routes, at_status, encode, etag


@pytest.fixture
def routes() -> Routes:
    made = Routes()

    @made.read("/things", permission="things.read")
    def index(_call: Call[None], _service: Any) -> Answer:
        return Answer()

    @made.write("POST", "/things", permission="things.write", status=201)
    def create(_call: Call[None], _tx: Any, _service: Any) -> Answer:
        return Answer()

    @made.read("/things/special", permission="things.read")
    def special(_call: Call[None], _service: Any) -> Answer:
        return Answer()

    @made.read("/things/{thing_id}", permission="things.read")
    def show(_call: Call[None], _service: Any) -> Answer:
        return Answer()

    @made.write("PUT", "/things/{thing_id}", permission="things.write")
    def amend(_call: Call[None], _tx: Any, _service: Any) -> Answer:
        return Answer()

    return made


@pytest.mark.parametrize(
    ("method", "path", "name", "parameters"),
    [
        ("GET", "/things", "index", {}),
        ("HEAD", "/things", "index", {}),
        ("POST", "/things", "create", {}),
        ("GET", "/things/special", "special", {}),
        ("GET", "/things/7", "show", {"thing_id": "7"}),
        ("PUT", "/things/a.b", "amend", {"thing_id": "a.b"}),
    ],
)
def test_a_route_is_found_by_method_and_path(
    routes: Routes, method: str, path: str, name: str, parameters: dict[str, str]
) -> None:
    route, found = routes.find(method, path)
    assert (route.handler.__name__, found) == (name, parameters)


@pytest.mark.parametrize("path", ["/", "", "/thing", "/things/", "/things/7/", "/things/7/8", "/things//", "/Things",
                                  "x/things"])  # fmt: skip
def test_any_other_address_is_404(routes: Routes, path: str) -> None:
    with pytest.raises(NotFound):
        routes.find("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/things", "GET, HEAD, POST"),
        ("PUT", "/things/special", "GET, HEAD"),
        ("POST", "/things/7", "GET, HEAD, PUT"),
        ("get", "/things", "GET, HEAD, POST"),
    ],
)
def test_another_method_is_405_and_says_which_are_right(routes: Routes, method: str, path: str, allowed: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        routes.find(method, path)
    assert caught.value.headers["allow"] == allowed


def test_a_long_address_is_not_repeated_in_full(routes: Routes) -> None:
    with pytest.raises(NotFound) as caught:
        routes.find("GET", "/" + "x" * 10_000)
    assert len(caught.value.detail) < 300


def test_a_dot_in_a_path_means_itself() -> None:
    routes = Routes()
    routes.read("/a.b/{x}", proof=Proof.PUBLIC)(lambda _call, _service: Answer())
    with pytest.raises(NotFound):
        routes.find("GET", "/aXb/1")


@pytest.mark.parametrize("proof", [Proof.TOKEN, Proof.KEY])
def test_a_route_without_a_permission_does_not_start(proof: Proof) -> None:
    with pytest.raises(TypeError, match="declares no permission"):
        Routes().read("/open", proof=proof)


def test_an_address_is_declared_once(routes: Routes) -> None:
    with pytest.raises(TypeError, match="declared twice"):
        routes.read("/things", permission="things.read")(lambda _call, _service: Answer())


def test_updates_take_if_match(routes: Routes) -> None:
    assert routes.find("PUT", "/things/7")[0].headers == ("If-Match",)
    assert routes.find("POST", "/things")[0].headers == ()


def call(**headers: str) -> Call[None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(tenant=None, path={}, query=None, body=None, headers=named, raw=b"", source_ip="", request_id="")  # type: ignore[arg-type]


@pytest.mark.parametrize(("value", "version"), [('"3"', 3), ('W/"3"', 3), (' "41" ', 41)])
def test_if_match_names_a_version(value: str, version: int) -> None:
    assert call(if_match=value).expected_version() == version


def test_an_update_without_if_match_is_428() -> None:
    with pytest.raises(PreconditionRequired):
        call().expected_version()


@pytest.mark.parametrize(
    "value", ["", "3", "*", '"x"', '"3", "4"', '"' + "9" * 19 + '"', '"-1"', '"\u0663"', '"\uff13"', '"\u00b2"', '"3"x']
)
def test_an_etag_that_is_not_ours_is_400(value: str) -> None:
    with pytest.raises(BadRequest):
        call(if_match=value).expected_version()


def test_an_etag_is_read_as_it_was_given() -> None:
    assert call(if_match=etag(12)["etag"]).expected_version() == 12


@pytest.mark.parametrize(
    ("value", "kind"),
    [("text/CSV; charset=utf-8", "text/csv"), ("application/json", "application/json"), ("", ""), (";", "")],
)
def test_a_content_type_is_read_without_its_parameters(value: str, kind: str) -> None:
    assert call(content_type=value).content_type == kind


def test_an_answer_takes_the_status_its_route_declares(routes: Routes) -> None:
    create = routes.find("POST", "/things")[0]
    assert at_status(create, Answer()).status == 201
    assert at_status(create, Answer(status=202)).status == 202


def test_content_is_encoded_once() -> None:
    assert (encode(None), encode(b"ready"), encode({"a": 1})) == (b"", b"ready", b'{"a":1}')
