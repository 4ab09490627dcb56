"""Settings of rsportal, driven by the environment (``.env.example`` explains every variable).

``RSPORTAL_PROFILE`` is ``development`` (the default: one person on localhost) or ``production``
(HTTPS, secure cookies, a secret key of your own).
"""

import os
import secrets
from pathlib import Path
from typing import Any

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from rsportal.env import Env
from rsportal.logs import logging_config
from rsportal.queue_settings import q_cluster

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

PROFILE = env.choice("RSPORTAL_PROFILE", ("development", "production"), "development")
PRODUCTION = PROFILE == "production"
DEBUG = env.flag("RSPORTAL_DEBUG", False)
VAR_DIR = env.path("RSPORTAL_VAR_DIR", BASE_DIR / "var")


def _secret_key() -> str:
    """Return the configured key; in development make one once and keep it in ``var``."""
    if key := env.text("RSPORTAL_SECRET_KEY"):
        return key
    if PRODUCTION:
        raise ImproperlyConfigured(
            "RSPORTAL_SECRET_KEY is not set. Put 50 or more random characters there and keep them secret."
        )
    path = VAR_DIR / "secret_key"
    if not path.exists() or not path.stat().st_size:  # Empty: the power went while it was written.
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(50))
        try:
            os.link(fresh, path)  # Fails when another process was faster: its key counts.
        except FileExistsError:
            if not path.stat().st_size:
                fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    return path.read_text().strip()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = env.words("RSPORTAL_ALLOWED_HOSTS", () if PRODUCTION else ("127.0.0.1", "localhost", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.words("RSPORTAL_CSRF_TRUSTED_ORIGINS")
# How many reverse proxies stand in front; what they write into X-Forwarded-* is believed, no more.
BEHIND_PROXY = env.flag("RSPORTAL_BEHIND_PROXY", PRODUCTION)
PROXY_COUNT = env.integer("RSPORTAL_PROXY_COUNT", 1, minimum=1) if BEHIND_PROXY else 0

INSTALLED_APPS = [
    "rsportal",
    "rsportal.accounts",
    "imagery",
    "search",
    "rsportal.admin_config.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
    "axes",
    "csp",
]

MIDDLEWARE = [
    "rsportal.request_log.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "rsportal.middleware.PrivacyHeadersMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "rsportal.accounts.middleware.UserLanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "rsportal.middleware.ExpectedErrorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "rsportal.urls"
WSGI_APPLICATION = "rsportal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "rsportal.context.portal",
            ],
        },
    },
]

# --- Database -------------------------------------------------------------------------------
# Without DATABASE_URL the project starts and shares an embedded PostgreSQL (rsportal.postgres).
DATABASE_URL = env.text("DATABASE_URL")
EMBEDDED_POSTGRES = not DATABASE_URL


def _database() -> dict[str, Any]:
    if DATABASE_URL:
        return dict(dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True))
    from rsportal.postgres import database_settings

    return {**database_settings(VAR_DIR), "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


DATABASES = {"default": _database()}
if suffix := env.text("RSPORTAL_TEST_DB_SUFFIX"):
    DATABASES["default"]["TEST"] = {"NAME": f"test_rsportal_{suffix}"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Queue ----------------------------------------------------------------------------------
Q_CLUSTER = q_cluster(env)

# --- Caches (per process; what must be shared lives in the database) -------------------------
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Accounts -------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "rsportal.accounts.backends.CaseInsensitiveModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
AUTH_PASSWORD_VALIDATORS[1]["OPTIONS"] = {"min_length": 10}  # type: ignore[assignment]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "search:home"
LOGOUT_REDIRECT_URL = "login"
SIGNUP_OPEN = env.flag("RSPORTAL_SIGNUP_OPEN", False)
AXES_FAILURE_LIMIT = env.integer("RSPORTAL_LOGIN_FAILURES", 8, minimum=1)
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "rsportal.accounts.lockout.locked_out_response"
AXES_USERNAME_CALLABLE = "rsportal.accounts.lockout.login_name"
AXES_CLIENT_IP_CALLABLE = "rsportal.client_ip.client_ip"
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # Else trying again would make the wait longer.
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = True
AXES_DISABLE_ACCESS_LOG = True  # Who logged in from where is in the log lines, kept as long as the operator keeps them.
AXES_VERBOSE = False

SESSION_COOKIE_AGE = env.integer("RSPORTAL_SESSION_DAYS", 14, minimum=1) * 24 * 3600
PASSWORD_RESET_TIMEOUT = 4 * 3600  # seconds

EMAIL_BACKEND = env.text("RSPORTAL_EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.text("RSPORTAL_EMAIL_HOST", "localhost")
EMAIL_PORT = env.integer("RSPORTAL_EMAIL_PORT", 25, minimum=1)
EMAIL_HOST_USER = env.text("RSPORTAL_EMAIL_USER")
EMAIL_HOST_PASSWORD = env.text("RSPORTAL_EMAIL_PASSWORD")
EMAIL_USE_TLS = env.flag("RSPORTAL_EMAIL_TLS", False)
DEFAULT_FROM_EMAIL = env.text("RSPORTAL_EMAIL_FROM", "rsportal@localhost")

# --- Languages and time ---------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [BASE_DIR / "rsportal" / "locale"]
USE_I18N = True
TIME_ZONE = "UTC"
USE_TZ = True

# --- Files ----------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "rsportal.staticfiles.PortalStaticFilesStorage"},
}
MEDIA_ROOT = env.path("RSPORTAL_MEDIA_DIR", VAR_DIR / "media")
MEDIA_URL = ""  # Files are served by permission-checked views only.
FILE_UPLOAD_PERMISSIONS = 0o640
FILE_UPLOAD_TEMP_DIR = None

UPLOAD_MAX_BYTES = env.integer("RSPORTAL_UPLOAD_MAX_MB", 2048, minimum=1) * 1024 * 1024
UPLOAD_MAX_PIXELS = env.integer("RSPORTAL_UPLOAD_MAX_MEGAPIXELS", 2000, minimum=1) * 1_000_000
# Bytes that one person may have unfinished or sent within 24 hours; 0: no limit.
UPLOAD_QUOTA_BYTES = env.integer("RSPORTAL_UPLOAD_QUOTA_MB", 51_200, minimum=0) * 1024 * 1024
UPLOAD_EXPIRE_SECONDS = env.integer("RSPORTAL_UPLOAD_EXPIRE_HOURS", 72, minimum=1) * 3600
UPLOAD_ZIP_MAX_BYTES = env.integer("RSPORTAL_UPLOAD_ZIP_MAX_MB", 8192, minimum=1) * 1024 * 1024  # Unpacked.
INGEST_STALE_SECONDS = env.integer("RSPORTAL_INGEST_STALE_SECONDS", 60, minimum=2)  # A job this long silent is dead.
# Drawn map tiles and squares of deep zoom that are kept on disk, in megabytes; 0: each is drawn anew.
TILE_CACHE_MB = env.integer("RSPORTAL_TILE_CACHE_MB", 2048, minimum=0)
VRT_ROOTS = env.words("RSPORTAL_VRT_ROOTS")  # Folders whose VRTs are read, with all they name inside; none: no VRT.
PILLOW_MAX_PIXELS = 100_000_000  # Whole-image formats (PNG, JPEG, WebP) are decoded in memory.
DATA_UPLOAD_MAX_NUMBER_FILES = 200
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024

# --- Other archives -------------------------------------------------------------------------
# Hosts that STAC items and remote rasters may be read from (imagery/stac/hosts.py); none: nothing is asked anywhere.
REMOTE_HOSTS = env.words("RSPORTAL_REMOTE_HOSTS")
REMOTE_PRIVATE = env.flag("RSPORTAL_REMOTE_PRIVATE", False)  # Also inside the own network, loopback included.
REMOTE_TIMEOUT_SECONDS = env.integer("RSPORTAL_REMOTE_TIMEOUT", 30, minimum=1)
REMOTE_TRIES = env.integer("RSPORTAL_REMOTE_TRIES", 5, minimum=1)

# --- Archive folders and fixity --------------------------------------------------------------
# Folders of the server in which (and below which) archive folders may be registered; none: nowhere.
ARCHIVE_ROOTS = env.words("RSPORTAL_ARCHIVE_ROOTS")
ARCHIVE_SETTLE_SECONDS = env.integer("RSPORTAL_ARCHIVE_SETTLE_SECONDS", 60, minimum=0)  # Younger files may still grow.
VERIFY_DAYS = env.integer("RSPORTAL_VERIFY_DAYS", 90, minimum=0)  # Every original is read once in so long; 0: never.
VERIFY_MB_PER_SECOND = env.integer("RSPORTAL_VERIFY_MB_PER_SECOND", 50, minimum=0)  # 0: as fast as the disk is.

# --- Encoder --------------------------------------------------------------------------------
HF_OFFLINE = env.flag("RSPORTAL_HF_OFFLINE", True)
if HF_OFFLINE:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # Read by the libraries that load checkpoints.
ENCODER_RUNTIME = env.choice("RSPORTAL_ENCODER_RUNTIME", ("auto", "torch", "openvino"), "auto")
ENCODER_PRECISION = env.choice("RSPORTAL_ENCODER_PRECISION", ("auto", "float32", "bfloat16", "int8"), "auto")
if ENCODER_RUNTIME == "torch" and ENCODER_PRECISION == "int8":
    raise ImproperlyConfigured(
        "RSPORTAL_ENCODER_PRECISION is int8, which needs OpenVINO, but RSPORTAL_ENCODER_RUNTIME is torch; write "
        "openvino or auto there."
    )
ENCODER_DEVICE = env.choice("RSPORTAL_ENCODER_DEVICE", ("auto", "cpu", "cuda"), "auto")
if ENCODER_RUNTIME == "openvino" and ENCODER_DEVICE == "cuda":
    raise ImproperlyConfigured(
        "RSPORTAL_ENCODER_DEVICE is cuda, but RSPORTAL_ENCODER_RUNTIME is openvino, which runs on CPUs; write torch or "
        "auto there."
    )
ENCODER_THREADS = env.integer("RSPORTAL_ENCODER_THREADS", 0, minimum=0)  # 0: as many as there are cores.
ENCODER_IDLE_SECONDS = 60 * env.integer("RSPORTAL_ENCODER_IDLE_MINUTES", 60, minimum=0)  # 0: models are kept for ever.
ENCODER_DIR = VAR_DIR / "encoders"  # Towers exported for this machine; made again when missing.

# --- What a search may find -----------------------------------------------------------------
# How long the same question is answered from what is kept, as long as nothing has changed; 0: never.
SEARCH_REUSE_MINUTES = env.integer("RSPORTAL_SEARCH_REUSE_MINUTES", 60, minimum=0)
# Vectors and translations of query texts that are kept in the database; those not used for longest go first.
SEARCH_KEPT_TEXTS = env.integer("RSPORTAL_SEARCH_KEPT_TEXTS", 20_000, minimum=100)
# Licences (SPDX ids, * stands for anything) whose scenes come up in searches; empty: any licence.
SEARCH_LICENSES = env.words("RSPORTAL_SEARCH_LICENSES")
# The chance with which two neighbouring hits change places, to learn how much position matters; 0: never.
SEARCH_EXPLORE = env.share("RSPORTAL_SEARCH_EXPLORE", 0.02, most=0.2)

# --- Vector index ---------------------------------------------------------------------------
# From how many vectors of an encoder the worker builds an index over them; below, comparing all is as fast.
VECTOR_INDEX_ROWS = env.integer("RSPORTAL_VECTOR_INDEX_ROWS", 20_000, minimum=1)
INDEX_MEMORY_MB = env.integer("RSPORTAL_INDEX_MEMORY_MB", 0, minimum=0)  # For building it; 0: half of what is free.

# --- Translation ----------------------------------------------------------------------------
# Folder or hub id of a MarianMT model (Chinese to English) for words that the glossary does not know; empty: none.
TRANSLATOR = env.text("RSPORTAL_TRANSLATOR", "")

# --- Second look ----------------------------------------------------------------------------
# Folder or hub id of an image-text matching model (BLIP ITM) that looks again at the first hits; empty: none.
CROSS_ENCODER = env.text("RSPORTAL_CROSS_ENCODER", "")
CROSS_ENCODER_REVISION = env.text("RSPORTAL_CROSS_ENCODER_REVISION", "")  # Commit, tag or branch of a hub id.
CROSS_ENCODER_CHECKSUM = env.text("RSPORTAL_CROSS_ENCODER_CHECKSUM", "")  # Of its files; empty: any.

# --- Feedback -------------------------------------------------------------------------------
# How long after a hit was shown its click, like or download still counts.
FEEDBACK_TOKEN_DAYS = env.integer("RSPORTAL_FEEDBACK_TOKEN_DAYS", 30, minimum=1)
# Clicks, likes and the like that one person may tell in a minute, on the page and over the API together.
FEEDBACK_EVENTS_PER_MINUTE = env.integer("RSPORTAL_FEEDBACK_EVENTS_PER_MINUTE", 240, minimum=1)

# --- API ------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rsportal.accounts.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rsportal.api.parsers.LimitedJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "rsportal.api.schema.ApiSchema",
    "EXCEPTION_HANDLER": "rsportal.api.problems.problem_details",
    "DEFAULT_THROTTLE_CLASSES": [
        "rest_framework.throttling.UserRateThrottle",
        "rest_framework.throttling.ScopedRateThrottle",
    ],
    "DEFAULT_THROTTLE_RATES": {
        "user": env.text("RSPORTAL_API_RATE", "1200/min"),
        "search": env.text("RSPORTAL_API_SEARCH_RATE", "240/min"),
        "upload": env.text("RSPORTAL_API_UPLOAD_RATE", "600/min"),
        "events": env.text("RSPORTAL_API_EVENT_RATE", "600/min"),
        "tiles": env.text("RSPORTAL_API_TILE_RATE", "6000/min"),
    },
    "DEFAULT_VERSIONING_CLASS": None,
    "NUM_PROXIES": PROXY_COUNT,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {
    "TOKEN_LIMIT_PER_USER": 20,
    "AUTO_REFRESH": False,
    "AUTH_HEADER_PREFIX": "Token",
    "TOKEN_PREFIX": "rsp_",  # Lets secret scanners recognise a leaked token.
    "TOKEN_MODEL": "accounts.ApiToken",
}
KNOX_TOKEN_MODEL = "accounts.ApiToken"
SPECTACULAR_SETTINGS = {
    "TITLE": "rsportal API",
    "DESCRIPTION": "Search and manage archives of satellite and aerial imagery.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "SceneStatus": "imagery.models.scene.Scene.Status",
        "JobState": "imagery.models.job.IngestJob.State",
        "UploadState": "imagery.models.upload.Upload.State",
        "Visibility": "imagery.models.collection.Visibility",
        "EventKind": "search.models.event.Event.Kind",
        "QueryChannel": "search.models.query.Query.Channel",
    },
    "TAGS": [
        {"name": "search", "description": "Find scenes by words."},
        {"name": "events", "description": "What you did with a result: opened, liked, disliked, downloaded."},
        {"name": "collections", "description": "Sets of scenes under one licence and one rule of who sees them."},
        {"name": "scenes", "description": "Acquisitions and pictures, and their files."},
        {"name": "stac", "description": "Scenes and collections as STAC 1.1 documents."},
        {"name": "uploads", "description": "Resumable uploads of any size, by the tus 1.0 protocol."},
        {"name": "jobs", "description": "What happens to what was uploaded."},
        {"name": "me", "description": "Your account and what is kept about you."},
        {"name": "root", "description": "Where everything is."},
    ],
}

# --- Security -------------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
COOKIES_SECURE = env.flag("RSPORTAL_SECURE_COOKIES", PRODUCTION)
SESSION_COOKIE_SECURE = COOKIES_SECURE
CSRF_COOKIE_SECURE = COOKIES_SECURE
LANGUAGE_COOKIE_SECURE = COOKIES_SECURE
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = env.flag("RSPORTAL_SSL_REDIRECT", PRODUCTION)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.integer("RSPORTAL_HSTS_SECONDS", 31_536_000 if PRODUCTION else 0, minimum=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.flag("RSPORTAL_HSTS_SUBDOMAINS", PRODUCTION)
SECURE_HSTS_PRELOAD = SECURE_HSTS_INCLUDE_SUBDOMAINS
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

READY_TOKEN = env.text("RSPORTAL_READY_TOKEN")  # A monitor that sends it is told why /readyz says no.

# --- Logs -----------------------------------------------------------------------------------
LOGGING = logging_config(
    level=env.choice("RSPORTAL_LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
    json=env.flag("RSPORTAL_LOG_JSON", PRODUCTION),
)
