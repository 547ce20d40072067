"""All settings. Values that differ between installations come from environment variables (`config.environment`).

`docs/operations.md` lists the variables.
"""

from pathlib import Path

from config import environment
from config.environment import read
from tatami.observability import logging_configuration

ROOT = Path(__file__).resolve().parents[2]
# The folder for files and mail, and for embedded servers and their secrets. Default: .tatami in the checkout.
DATA = Path(read("str", "TATAMI_DATA", str(ROOT / ".tatami"))).absolute()

# --- the installation ----------------------------------------------------------------------------------------------
# The host name of the platform; dojos are its subdomains. Default: localhost.
TATAMI_BASE_DOMAIN: str = read("str", "TATAMI_BASE_DOMAIN", "localhost").lower()
# Scheme and port of links in mails and responses. Default: http, 8000. `make run` also listens on PORT.
TATAMI_PUBLIC_SCHEME: str = environment.one_of("TATAMI_PUBLIC_SCHEME", "http", "https")
TATAMI_PUBLIC_PORT: int = environment.number("PORT", 8000, 1, 65_535)
# The secrets that sign tokens, codes and links, newest first: JWT_SECRET, JWT_SECRET_PREVIOUS. No default.
TATAMI_SECRETS: list[str] = environment.signing_secrets().newest_first
SECRET_KEY = TATAMI_SECRETS[0]  # for Django; tatami.keys derives the keys of tokens, codes and links
DEBUG = False
ALLOWED_HOSTS = ["*"]  # tatami.tenancy.hosts looks up every host; an unknown host gets 404
# Whether to trust X-Forwarded-Host, X-Forwarded-Proto and the last address of X-Forwarded-For. Default: false.
# Set it only behind a proxy that sets all three headers.
USE_X_FORWARDED_HOST: bool = read("bool", "TATAMI_TRUSTED_PROXY", default=False)
if USE_X_FORWARDED_HOST:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- retention, in days ----------------------------------------------------------------------------------------------
# A deleted dojo can be restored for this long; then it is purged.
TATAMI_DELETION_GRACE_DAYS: int = environment.days("TATAMI_DELETION_GRACE_DAYS", 30)
# The former subdomain of a renamed dojo leads to it for this long.
TATAMI_OLD_SLUG_DAYS: int = environment.days("TATAMI_OLD_SLUG_DAYS", 90)
# The archive of an export.
TATAMI_EXPORT_DAYS: int = environment.days("TATAMI_EXPORT_DAYS", 7)
# Sessions and password links, after their end.
TATAMI_SESSION_DAYS: int = environment.days("TATAMI_SESSION_DAYS", 30)
# Stored responses to requests with an Idempotency-Key. The API promises 24 hours.
TATAMI_IDEMPOTENCY_DAYS: int = environment.days("TATAMI_IDEMPOTENCY_DAYS", 1)
# Stored responses to scans, by nonce.
TATAMI_SCAN_ANSWER_DAYS: int = environment.days("TATAMI_SCAN_ANSWER_DAYS", 7)
# Refused scans, counted from the day they arrived.
TATAMI_REFUSAL_DAYS: int = environment.days("TATAMI_REFUSAL_DAYS", 180)
# Promotion batches that only checked. Batches that awarded ranks are kept for ever.
TATAMI_CHECK_BATCH_DAYS: int = environment.days("TATAMI_CHECK_BATCH_DAYS", 90)
# Bodies and names of mails. Recipient, time and outcome are kept.
TATAMI_MAIL_BODY_DAYS: int = environment.days("TATAMI_MAIL_BODY_DAYS", 30)
# The log of deliveries of webhooks.
TATAMI_WEBHOOK_DAYS: int = environment.days("TATAMI_WEBHOOK_DAYS", 30)

# --- webhooks ------------------------------------------------------------------------------------------------------
# Networks inside, separated by commas, that webhooks and identity providers may be in, also by plain HTTP. Default:
# none; only the public internet, by HTTPS.
TATAMI_WEBHOOK_NETWORKS: list[str] = environment.networks("TATAMI_WEBHOOK_NETWORKS")

# --- apps --------------------------------------------------------------------------------------------------------
SHARED_APPS = [
    "django.contrib.contenttypes",  # django-tenants and simplejwt import these two; their tables stay in `public`
    "django.contrib.auth",
    "django.contrib.messages",
    "unfold.apps.BasicAppConfig",  # the theme of the console; before django_tenants, which overrides admin templates
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django_tenants",
    "shared_apps.tenants",
    "shared_apps.accounts",
    "shared_apps.webhooks",
    "config",
    "demo",
    "tatami.api",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
TENANT_APPS = [
    "shared_apps.accounts",
    "shared_apps.webhooks",
    "tenant_apps.dojo",
    "tenant_apps.ranks",
    "tenant_apps.students",
    "tenant_apps.classes",
    "tenant_apps.attendance",
    "tenant_apps.promotions",
    "tenant_apps.notifications",
    "tenant_apps.desk",
]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]
MIGRATION_MODULES = {"admin": None}  # the log of django.contrib.admin has no table: the audit replaces it
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- database: two logins ------------------------------------------------------------------------------------------
# DATABASE_URL is the app login: no DDL, row-level security applies. OWNER_DATABASE_URL is the login that migrates.
_app_options: dict[str, object] = {"ATOMIC_REQUESTS": True}
# Connections of a web process; 0 in all other processes. Default: 0.
TATAMI_WEB_CONNECTIONS: int = environment.number("TATAMI_WEB_CONNECTIONS", 0, 0, 1_000)
# How many of its requests run at once while none of them waits for a lock or a slow statement. Default: 1.
TATAMI_WEB_RUNNING: int = environment.number("TATAMI_WEB_RUNNING", 1, 1, 1_000)
# The threads of a web process, as its server is told; it starts them when they are needed. Half of them may receive
# bodies (three eighths those of one network address), a quarter may wait for a slot or run. Default: 512.
TATAMI_WEB_THREADS: int = environment.number("TATAMI_WEB_THREADS", 512, 4, 10_000)
# Seconds that a statement of a request may take, and wait for a lock (at most half of it). Default: 4.
TATAMI_STATEMENT_SECONDS: int = environment.number("TATAMI_STATEMENT_SECONDS", 4, 1, 3_600)
# Seconds that a statement of a worker may take, and wait for a lock. Then the job is tried again later. Exports, purges
# and commands have as long as the login allows. Default: 60, 5.
TATAMI_JOB_STATEMENT_SECONDS: int = environment.number("TATAMI_JOB_STATEMENT_SECONDS", 60, 1, 3_600)
TATAMI_JOB_LOCK_SECONDS: int = environment.number("TATAMI_JOB_LOCK_SECONDS", 5, 1, 3_600)
# Milliseconds from which on a statement is logged, in any process, without its values. 0 logs none. Default: 500.
TATAMI_SLOW_STATEMENT_MS: int = environment.number("TATAMI_SLOW_STATEMENT_MS", 500, 0, 3_600_000)
# Seconds after which a web process opens a connection anew. Default: 600.
TATAMI_CONNECTION_SECONDS: int = environment.number("TATAMI_CONNECTION_SECONDS", 600, 1, 86_400)
# How many prepared statements a connection keeps, those used last; about 0.05 MB each. 0 for a pooler that does not
# support them (PgBouncer before 1.21). Default: 2000.
TATAMI_PREPARED_STATEMENTS: int = environment.number("TATAMI_PREPARED_STATEMENTS", 2_000, 0, 100_000)
# After how many dojos a connection is closed, because its backend keeps up to 1.3 MB of each. Default: 100.
TATAMI_CONNECTION_DOJOS: int = environment.number("TATAMI_CONNECTION_DOJOS", 100, 1, 1_000_000)
# A server that does not accept a connection within 3 seconds counts as away, and so does one whose machine or network
# does not answer for a minute (TCP only). Values in the URL override them: `?connect_timeout=5&tcp_user_timeout=30000`.
_connection_options: dict[str, object] = {
    "connect_timeout": 3,
    "keepalives": 1,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 9,
    "tcp_user_timeout": 60_000,  # milliseconds
}
_app_options["OPTIONS"] = _connection_options
_app = environment.database("DATABASE_URL", "tatami.postgresql.app", **_app_options)
_owner = environment.database("OWNER_DATABASE_URL", "tatami.postgresql.owner", OPTIONS=_connection_options)
DATABASES = {
    # Without DATABASE_URL, commands that need no database still work (check, makemigrations, --help).
    "default": _app or {"ENGINE": "tatami.postgresql.app", "NAME": "tatami", "USER": "tatami_app"},
    **({"owner": _owner} if _owner else {}),
}
TENANT_DB_ALIAS = "owner"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]

# --- Valkey: only wakes workers; jobs are rows in PostgreSQL -------------------------------------------------------
# Default: redis://localhost:6379/0. CELERY_BROKER_URL defaults to REDIS_URL.
REDIS_URL: str = environment.secret("REDIS_URL") or "redis://localhost:6379/0"
CELERY_BROKER_URL: str = environment.secret("CELERY_BROKER_URL") or REDIS_URL

# --- metrics for Prometheus: on a port of their own, never on a public host ----------------------------------------
# Default: 0, which is off; host 127.0.0.1.
TATAMI_METRICS_PORT: int = environment.number("TATAMI_METRICS_PORT", 0, 0, 65_534)
TATAMI_METRICS_HOST: str = read("str", "TATAMI_METRICS_HOST", "127.0.0.1")

# --- traces for OpenTelemetry: the standard variables OTEL_*, which the SDK reads itself ---------------------------
# Whether a collector is configured: OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT. Default: no.
TATAMI_TRACES: bool = environment.traces()

# --- HTTP ----------------------------------------------------------------------------------------------------------
ROOT_URLCONF = "config.urls_tenant"
PUBLIC_SCHEMA_URLCONF = "config.urls_platform"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
MIDDLEWARE = [
    "tatami.tracing.TracingMiddleware",
    "tatami.observability.RequestLogMiddleware",
    "tatami.api.strict_transport.StrictTransportMiddleware",
    "django.middleware.security.SecurityMiddleware",  # before all that answers: static files, health, errors
    "tatami.api.exception_mapping.ErrorMiddleware",
    "tatami.api.health.HealthMiddleware",
    "tatami.api.body_middleware.BodyMiddleware",
    "tatami.api.request_slots.RequestSlotsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tatami.api.input_middleware.InputMiddleware",
    "tatami.tenancy.middleware.TenantMiddleware",
    "tatami.api.authentication.ImpersonationMiddleware",
]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["tatami.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tatami.api.permissions.AccessTablePermission"],
    "DEFAULT_PARSER_CLASSES": ["tatami.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["tatami.api.renderers.JsonRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "tatami.api.parsers.ContentNegotiation",
    "DEFAULT_PAGINATION_CLASS": "tatami.api.pagination.Pages",
    "DEFAULT_SCHEMA_CLASS": "tatami.api.openapi.document.Operation",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS is a 405: the OpenAPI document describes more
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_THROTTLE_CLASSES": [],
    "EXCEPTION_HANDLER": "tatami.api.exception_mapping.exception_handler",
    "UNAUTHENTICATED_USER": "tatami.api.request.AnonymousCaller",
    "UNAUTHENTICATED_TOKEN": None,
    "URL_FORMAT_OVERRIDE": None,
    "FORMAT_SUFFIX_KWARG": None,
    "NON_FIELD_ERRORS_KEY": "non_field_errors",
    "UNICODE_JSON": True,
    "STRICT_JSON": True,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tatami",
    "DESCRIPTION": "Martial-arts dojos: students, classes, check-in, promotions. Each dojo has its own host.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": ["tatami.api.openapi.components.finish_document"],
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
DATA_UPLOAD_MAX_MEMORY_SIZE = (
    10 * 1024 * 1024
)  # bytes; not below ABSOLUTE_MAX_BODY_BYTES of tatami.api.body_middleware
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "DIRS": [
            ROOT / "tenant_apps"
        ],  # templates of the desk stand beside their pages: "desk/today/today.html"
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ALLOW_ALL_ORIGINS = False
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if TATAMI_PUBLIC_SCHEME == "https" else 0
SECURE_REFERRER_POLICY = "same-origin"

# --- pages: the console on the platform host, the desk on those of dojos -------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = TATAMI_PUBLIC_SCHEME == "https"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
# With https only this host itself can set the cookie, no other host of the domain.
CSRF_COOKIE_NAME = "__Host-tatami_csrf" if TATAMI_PUBLIC_SCHEME == "https" else "tatami_csrf"
CSRF_FAILURE_VIEW = "shared_apps.accounts.console.site.csrf_failure"
CSRF_TRUSTED_ORIGINS = [
    # The Origin that a browser sends if a proxy terminates TLS.
    f"{TATAMI_PUBLIC_SCHEME}://{TATAMI_BASE_DOMAIN}{port}"
    for port in ("", f":{TATAMI_PUBLIC_PORT}")
]
UNFOLD = {
    "SITE_TITLE": "Tatami",
    "SITE_HEADER": "Tatami",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ACCOUNT": {
        "navigation": [
            {"title": "My second factors", "link": "/console/second-factors/"},
            {"title": "API", "link": "/docs"},
        ]
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "items": [
                    {"title": "Dojos", "icon": "home", "link": "/console/tenants/tenant/"},
                    {"title": "Domains", "icon": "language", "link": "/console/tenants/domain/"},
                    {"title": "Exports", "icon": "archive", "link": "/console/tenants/tenantexport/"},
                    {"title": "Usage", "icon": "monitoring", "link": "/console/tenants/tenantusage/"},
                    {"title": "Audit", "icon": "history", "link": "/console/accounts/auditentry/"},
                ]
            }
        ],
    },
}

# --- files, in a folder for each dojo's id -------------------------------------------------------------------------
# TATAMI_STORAGE_URL is a folder or an S3 bucket, shared by web and worker. Default: the folder `files` in DATA.
STORAGES = {
    "default": environment.storage(
        environment.secret("TATAMI_STORAGE_URL"), DATA / "files", in_requests=TATAMI_WEB_CONNECTIONS > 0
    ),
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# --- passwords -----------------------------------------------------------------------------------------------------
# shared_apps.accounts.sessions checks passwords; no code calls Django's authenticate().
AUTHENTICATION_BACKENDS: list[str] = []
SILENCED_SYSTEM_CHECKS = [
    "auth.E003",  # e-mail addresses are unique only among users who are not archived
    "auth.W004",
    "admin.E408",  # sessions and messages exist only inside the console, not as middleware of every request
    "admin.E409",
    "admin.E410",
    "security.W002",  # each page says itself who may frame it: no one
    "security.W003",  # only the console has cookies, and checks its forms (shared_apps.accounts.console)
    "security.W005",  # custom domains of dojos belong to others, who decide for their subdomains
    "security.W008",  # the proxy redirects to https
    "security.W021",  # as W005
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
     "OPTIONS": {"user_attributes": ("email", "name")}},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]  # fmt: skip

# --- language and time ---------------------------------------------------------------------------------------------
# The language of the platform. A dojo has its own (`tatami.tenancy.scope`), one of those that have catalogues: a folder
# `locale` in each app, compiled by `make messages`. Adding the catalogues of a prepared language is all it takes.
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt-br", "Português"), ("de", "Deutsch"), ("ja", "日本語")]
LOCALE_PATHS = [ROOT / "platform" / "tatami" / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"

# --- mail ----------------------------------------------------------------------------------------------------------
# EMAIL_URL: `file:///folder`, `console:` or `smtp://user:password@host:port`. Default: files in DATA/mail.
vars().update(environment.email(environment.secret("EMAIL_URL") or f"file://{DATA / 'mail'}"))
# The sender. Default: Tatami <no-reply@TATAMI_BASE_DOMAIN>.
DEFAULT_FROM_EMAIL: str = read("str", "EMAIL_FROM", f"Tatami <no-reply@{TATAMI_BASE_DOMAIN}>")
# Mails that one dojo sends per minute. Default: 600. 0 means no limit.
TATAMI_MAILS_PER_MINUTE: int = environment.number("TATAMI_MAILS_PER_MINUTE", 600, 0, 100_000)

# --- logs ----------------------------------------------------------------------------------------------------------
# LOG_FORMAT: json (default) or console.
LOGGING_CONFIG = None
LOGGING = logging_configuration(environment.one_of("LOG_FORMAT", "json", "console"))
