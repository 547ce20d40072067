"""Errors as pages, for browsers. Clients of the API get the JSON envelope."""

from http import HTTPStatus
from secrets import token_urlsafe

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from tatami.errors import DomainError
from tatami.tenancy.scope import TenantScope, current_scope


def error_page(error: DomainError, request: HttpRequest | None) -> HttpResponse:
    """Return the page of an error: what happened in a sentence, and what to do. It runs no statement."""
    scope = current_scope()
    nonce = token_urlsafe(16)
    context = {
        "error": error,
        "sentences": fault_sentences(error),
        "dojo": scope if isinstance(scope, TenantScope) else None,
        "host": request.META.get("HTTP_HOST", "") if request else "",
        "csp_nonce": nonce,
    }
    response = HttpResponse(render_to_string("desk/parts/error.html", context), status=error.status)
    response["Cache-Control"] = "no-store"
    response["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    return response


def fault_sentences(error: DomainError) -> list[str]:
    """Return the messages that the details of an error have by field, each once. Other details are not for people."""
    if error.status != HTTPStatus.BAD_REQUEST:
        return []
    found = [
        f"{path}: {one}" if path else one
        for path, messages in (error.details or {}).items()
        if isinstance(messages, list | tuple)
        for one in messages
        if isinstance(one, str)
    ]
    return list(dict.fromkeys(found))
