"""What config.settings takes over for DRF, drf-spectacular and Django's limits. Imports nothing of Django."""

from typing import Any, Final

REST_FRAMEWORK: Final[dict[str, Any]] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tatami.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tatami.api.access.AccessTable"],
    "DEFAULT_PARSER_CLASSES": ["tatami.api.strict_json.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["tatami.api.renderers.JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tatami.api.negotiation.Negotiation",
    "DEFAULT_PAGINATION_CLASS": "tatami.api.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "tatami.api.openapi.document.Operation",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is 405: the OpenAPI document says it better
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_THROTTLE_CLASSES": [],
    "EXCEPTION_HANDLER": "tatami.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "tatami.api.request.Anonymous",
    "UNAUTHENTICATED_TOKEN": None,
    "URL_FORMAT_OVERRIDE": None,
    "FORMAT_SUFFIX_KWARG": None,
    "NON_FIELD_ERRORS_KEY": "non_field_errors",
    "UNICODE_JSON": True,
    "STRICT_JSON": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

SPECTACULAR_SETTINGS: Final[dict[str, Any]] = {
    "TITLE": "Tatami",
    "DESCRIPTION": "Martial-arts dojos: students, classes, check-in, promotions. Each dojo has its own host.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": ["tatami.api.openapi.document.plain"],
    "DEFAULT_GENERATOR_CLASS": "tatami.api.openapi.document.Document",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_NO_READ_ONLY_REQUIRED": True,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": [],
    "SERVE_AUTHENTICATION": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
}

DATA_UPLOAD_MAX_MEMORY_SIZE: Final = 10 * 1024 * 1024
"""Django's own limit on a body in memory, not below our absolute one (`tatami.api.gate`)."""
