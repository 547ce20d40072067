"""Requests that are refused before a view sees them: size, encoding, unknown paths."""

from io import BytesIO
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tatami.api.body_middleware import BodyMiddleware
from tatami.api.wsgi import Application
from tests.tatami.api.conftest import details_of, error_of

JSON = "application/json"


def test_a_body_over_one_mebibyte_is_too_large(admin: Client) -> None:
    response = admin.post("/echo", b'{"a": "' + b"x" * 1024 * 1024 + b'"}', content_type=JSON)
    assert error_of(response) == (413, "payload_too_large")


def test_a_view_may_set_its_own_limit(admin: Client) -> None:
    assert admin.post("/arrays", b"[" + b" " * 98 + b"]", content_type=JSON).status_code == 200
    assert error_of(admin.post("/arrays", b"[" + b" " * 99 + b"]", content_type=JSON)) == (
        413,
        "payload_too_large",
    )


def test_a_body_over_the_absolute_limit_is_refused_for_any_route(anonymous: Client) -> None:
    response = anonymous.generic(
        "POST", "/unknown", b"", content_type=JSON, CONTENT_LENGTH=str(11 * 1024 * 1024)
    )
    assert error_of(response) == (413, "payload_too_large")


@pytest.mark.parametrize("length", ["-1", "1e3", "abc", "1" * 30, "٣"])
def test_an_invalid_content_length_is_refused(anonymous: Client, length: str) -> None:
    response = anonymous.generic("POST", "/open", b"{}", content_type=JSON, CONTENT_LENGTH=length)
    assert list(details_of(response)) == ["Content-Length"]


@pytest.mark.parametrize("query", ["a=%00", "a=%ff", "a=%ed%a0%80", "%00=1", "a=\xff", "a=1&b=%C3"])
@pytest.mark.parametrize("route", ["/echo", "/open", "/unknown"])
def test_a_query_string_that_is_not_text_is_refused_on_every_route(
    admin: Client, route: str, query: str
) -> None:
    details_of(admin.get(route, QUERY_STRING=query))


@pytest.mark.parametrize("query", ["=false", "=", "a=1&=2", "=%20&a=1"])
@pytest.mark.parametrize("route", ["/echo", "/open", "/unknown"])
def test_a_query_parameter_without_a_name_is_refused_on_every_route(
    admin: Client, route: str, query: str
) -> None:
    details_of(admin.get(route, QUERY_STRING=query))


@pytest.mark.parametrize("query", ["", "&", "a=1&&b=2", "a", "a=", "%3D=1"])
def test_empty_parts_and_empty_values_are_allowed(admin: Client, query: str) -> None:
    assert admin.get("/open", QUERY_STRING=query).status_code == 200


def test_ten_thousand_query_parameters_are_refused(anonymous: Client) -> None:
    details_of(anonymous.get("/open?" + "&".join(["a=1"] * 10_000)))


@pytest.mark.parametrize(
    "path", ["/echo/", "/nope", "/%00", "/echo%0a", "/%ff", "/details/1", "/details/%00", "//echo", "/ECHO"]
)
def test_an_unknown_path_is_not_found(admin: Client, path: str) -> None:
    assert error_of(admin.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "text/plain",
        "application/xml",
        "x" * 300,
        "multipart/form-data; boundary=x",
    ],
)
@pytest.mark.parametrize("body", [b"{}", b""])
def test_a_body_that_is_not_json_is_unsupported(admin: Client, kind: str, body: bytes) -> None:
    assert error_of(admin.generic("POST", "/echo", body, kind, CONTENT_TYPE=kind)) == (
        415,
        "unsupported_media_type",
    )


def test_a_body_without_a_content_type_is_json(admin: Client) -> None:
    assert admin.generic("POST", "/echo", b'{"a": 1}', content_type="").json() == {"body": {"a": 1}}


def test_a_form_is_read_if_the_view_accepts_forms(admin: Client) -> None:
    response = admin.post("/upload", {"file": BytesIO(b"a,b"), "kind": "csv"})
    assert response.json() == {"parts": ["file", "kind"]}
    assert error_of(admin.post("/upload", {}, content_type=JSON)) == (415, "unsupported_media_type")


def test_a_malformed_form_is_refused(admin: Client) -> None:
    details_of(admin.generic("POST", "/upload", b"--x\r\nnonsense", content_type="multipart/form-data"))


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "nonsense"])
def test_only_utf_8_is_supported(admin: Client, charset: str) -> None:
    response = admin.generic("POST", "/echo?a=1", b"{}", content_type=f"{JSON}; charset={charset}")
    assert error_of(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"5", b"null", b"true"])
def test_the_top_level_is_an_object(admin: Client, body: bytes) -> None:
    assert list(details_of(admin.post("/echo", body, content_type=JSON))) == ["non_field_errors"]


def test_a_malformed_body_is_refused_even_if_the_view_does_not_read_it(admin: Client) -> None:
    assert error_of(admin.post("/open", b"{nonsense", content_type=JSON)) == (400, "malformed_json")


def test_a_view_may_accept_an_array(admin: Client) -> None:
    assert admin.post("/arrays", b"[1, 2]", content_type=JSON).json() == {"length": 2}


def request_without_length(body: bytes, **environ: Any) -> WSGIRequest:
    """Return a request without a `Content-Length`."""
    request = RequestFactory().generic("POST", "/", b"", content_type=JSON, **environ)
    request.META.pop("CONTENT_LENGTH", None)
    request.META["wsgi.input"] = BytesIO(body)
    return request


def echo_body(request: Any) -> HttpResponse:
    return HttpResponse(request.body)


def test_a_chunked_body_is_read(site: Any) -> None:
    request = request_without_length(
        b'{"a": 1}', HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True}
    )
    assert BodyMiddleware(echo_body)(request).content == b'{"a": 1}'  # type: ignore[attr-defined]


def test_a_chunked_body_over_the_limit_is_too_large(site: Any) -> None:
    request = request_without_length(b" " * (10 * 1024 * 1024 + 2), **{"wsgi.input_terminated": True})
    assert status_of(BodyMiddleware(echo_body)(request)) == 413


def test_a_server_without_chunked_support_needs_a_length(site: Any) -> None:
    request = request_without_length(b"{}", HTTP_TRANSFER_ENCODING="chunked")
    assert status_of(BodyMiddleware(echo_body)(request)) == 400


def status_of(response: Any) -> int:
    assert response.headers["Content-Type"] == JSON
    return int(response.status_code)


def through_wsgi(kind: str, query: str = "") -> tuple[str, str, bytes]:
    """Return status, media type and body of the WSGI application's response."""
    environ = RequestFactory(headers={"Authorization": "Bearer admin"})._base_environ(  # type: ignore[attr-defined]
        PATH_INFO="/echo", REQUEST_METHOD="POST", CONTENT_TYPE=kind, CONTENT_LENGTH="2", QUERY_STRING=query
    )
    environ["wsgi.input"] = BytesIO(b"{}")
    started: list[Any] = []
    body = Application()(environ, lambda status, headers: started.append((status, dict(headers))))
    ((status, headers),) = started
    return status[:3], headers["Content-Type"], b"".join(body)


UNREADABLE = ["application/json; charset*=x'y'z", "application/json; a*=nope''%ff", "\x80;;=;", ";"]


@pytest.mark.django_db  # the request signals close old connections
@pytest.mark.parametrize("kind", [*UNREADABLE, f"{JSON}; charset=rot13", f"{JSON}; charset=base64"])
def test_a_content_type_that_django_cannot_parse_is_unsupported(site: Any, kind: str) -> None:
    status, media_type, body = through_wsgi(kind, "a=1")
    assert (status, media_type) == ("415", JSON)
    assert b"unsupported_media_type" in body


@pytest.mark.django_db
def test_too_many_parameters_are_a_400_of_the_application(site: Any) -> None:
    status, media_type, _ = through_wsgi(f"{JSON}; charset=utf-8", "&".join(["a=1"] * 2000))
    assert (status, media_type) == ("400", JSON)
