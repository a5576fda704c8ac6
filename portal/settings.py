"""Every setting, top to bottom: where things are, what runs, limits with their units."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from portal.environment import env, kept_secret, number, secret, share, switch

ROOT = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("MERCATO_DATA_DIR") or ROOT / "var").resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
VERSION = "0.1.0"

# Where the portal answers
PORT = number("PORT", 8000)
SITE_URL = os.environ.get("SITE_URL", f"http://localhost:{PORT}").rstrip("/")
DEBUG = switch("DEBUG", False)
SECRET_KEY = kept_secret("SECRET_KEY", DATA_DIR)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", urlsplit(SITE_URL).hostname])
CSRF_TRUSTED_ORIGINS = [SITE_URL]
ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"

INSTALLED_APPS = [
    "portal",
    "portal.accounts",
    "billing",
    "marketplace",
    "inference",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "django_htmx",
    "csp",
    "rest_framework",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "portal.accounts.language.AccountLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.pages.problems.ProblemPages",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "portal.accounts.access.page_context",
            ],
        },
    },
]

# Database: SQLite in the data folder, or what DATABASE_URL names
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'mercato.sqlite3'}")
}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        # Writers queue at BEGIN instead of failing at their first write; a commit is on disk.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-16000;",
    }
    # A file: other connections and processes of a test must see it.
    DATABASES["default"]["TEST"] = {"NAME": DATA_DIR / "test.sqlite3"}
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)  # seconds
DATABASES["default"]["CONN_MAX_AGE"] = 60
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cache and broker: in process and in the data folder, or Redis
REDIS_URL = os.environ.get("REDIS_URL", "")
CACHES = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": REDIS_URL,
            "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},  # seconds
        }
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "beat-schedule")
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    # Whoever tells a worker of something to do waits seconds at most; without max_retries it would be for ever.
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
        "max_retries": 1, "interval_start": 0, "interval_step": 0.2, "socket_timeout": 3, "socket_connect_timeout": 2,
    }  # fmt: skip
else:
    CELERY_BROKER_URL = "folders://"
    _queue = DATA_DIR / "queue"
    for _folder in (_queue / "messages", _queue / "control"):
        _folder.mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_queue / "messages"),
        "data_folder_out": str(_queue / "messages"),
        "control_folder": str(_queue / "control"),
        "polling_interval": 0.05,
    }

# People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "catalog"
ACCOUNT_ADAPTER = "portal.accounts.signup.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True

# Mail: by EMAIL_URL, else kept as files and, while the site is not public, shown at /dev/mailbox
EMAIL_URL = secret("EMAIL_URL")
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", f"Mercato <no-reply@{urlsplit(SITE_URL).hostname}>")
MAILBOX_DIR = None if EMAIL_URL or SITE_URL.startswith("https://") else DATA_DIR / "mail"
if EMAIL_URL:
    _mail = env.email_url_config(EMAIL_URL)
    EMAIL_BACKEND = _mail["EMAIL_BACKEND"]
    EMAIL_HOST, EMAIL_PORT = _mail.get("EMAIL_HOST", ""), _mail.get("EMAIL_PORT") or 25
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = (
        _mail.get("EMAIL_HOST_USER") or "",
        _mail.get("EMAIL_HOST_PASSWORD") or "",
    )
    EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.get("EMAIL_USE_TLS", False), _mail.get("EMAIL_USE_SSL", False)
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"

# Languages and time
LANGUAGE_CODE = os.environ.get("LANGUAGE_CODE", "en")
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [ROOT / "locale"]
FORMAT_MODULE_PATH = ["portal.formats"]
USE_TZ = True
TIME_ZONE = "UTC"

# Files
STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
WHITENOISE_USE_FINDERS = True
MEDIA_ROOT = DATA_DIR / "files"
MODELS_DIR = DATA_DIR / "models"
USAGE_KEPT_DAYS = number("USAGE_KEPT_DAYS", 400)  # in the database, before a month goes to the archive; 0: for ever
ARCHIVE_S3_BUCKET = os.environ.get(
    "ARCHIVE_S3_BUCKET", ""
)  # needs django-storages[s3]; boto3 reads its own AWS_… variables
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "archive": (
        {"BACKEND": "billing.metering.bucket.Bucket", "OPTIONS": {"bucket_name": ARCHIVE_S3_BUCKET}}
        if ARCHIVE_S3_BUCKET
        else {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": DATA_DIR / "archive"}}
    ),
}

# Safety
_https = SITE_URL.startswith("https://")
SECURE_SSL_REDIRECT = _https
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    # The admin console's Alpine needs inline script and eval; only staff reach it.
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # Browsers apply form-action to the redirect that follows a form's POST too: checkout leaves our origin.
        "form-action": [
            "'self'",
            "https://checkout.stripe.com",
            "https://billing.stripe.com",
            "https://connect.stripe.com",
        ],
    },
}

TRUSTED_PROXIES = number("TRUSTED_PROXIES", 0)  # how many proxies before us append to X-Forwarded-For

# Programming interface
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.accounts.keys.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "EXCEPTION_HANDLER": "portal.accounts.wire.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024  # bytes of a form or body; larger is refused with 413
API_GUARD = "inference.api.guard.Guard"  # limits and kept answers, around every view of the interface
API_MAX_DEPTH = 64  # nested lists and objects in a JSON body
KEY_DEFAULT_RPM = 600  # requests a minute of a new key
CATALOG_MAX_AGE_S = 1.0  # a hot-path read of keys, versions, prices is at most this old
SEMANTIC_MODEL = os.environ.get(
    "SEMANTIC_MODEL", ""
)  # publisher/name of embeddings: the catalog is searched by meaning
SEMANTIC_LEAST = share("SEMANTIC_LEAST", 0.4)  # the cosine from which a model means what was searched
SEMANTIC_WAIT_S = 0.25  # for a search's vector; without it the words are searched alone
CATALOG_ENCODER = "inference.encoding.encode"  # marketplace.catalog.meaning.Encode
WEB_THREADS = 640  # of one web process, made as needed; a call or a stream holds one (serve --threads)
REQUESTS_MAX = 600  # predictions at work in one process; more are refused at once with 503
MODEL_MEMORY_BYTES = 2 * 1024**3  # budget for loaded models of one process
UPSTREAM_TIMEOUT_S = 120
WORKER_THREADS = 8  # jobs at once in the worker of `manage.py up`
PREDICTION_THREADS = 3  # of them, that may make predictions at the same time
BATCH_THREADS = 1  # of them, that may work on batches; each answers some lines at once
PREDICTION_KEPT_S = 24 * 3600  # an asynchronous prediction's input and output
FILE_MAX_BYTES = 100 * 1024 * 1024
BATCH_MAX_LINES = 50_000
BATCH_PRICE_PERCENT = 50  # of the price, for what is answered when there is time
OUTBOUND_ALLOWED_HOSTS = env.list("OUTBOUND_ALLOWED_HOSTS", default=[])  # private hosts that webhooks may go to
GOLDEN_MAX_BYTES = 8 * 1024 * 1024  # of a golden set's file
GOLDEN_MAX_EXAMPLES = 1_000  # of one
GOLDEN_SETS_MAX = 50  # of a workspace
DATASET_MAX_BYTES = 50 * 1024 * 1024  # of an uploaded table
UPLOAD_CHUNK_BYTES = 2 * 1024 * 1024  # in which browsers send tables and models
DATASETS_MAX = 50  # of a workspace
SUBMISSION_MAX_BYTES = 1024 * 1024 * 1024  # of an uploaded model
DESCRIBE_APART = "inference.engines.runner.parent.describe"  # reads what a stranger's model takes and gives
SUBMISSIONS_MAX = 20  # of a workspace, not counting those that were published or withdrawn
REHEARSAL_LEASE_S = 30  # a submission whose worker was silent this long is taken over
TRAINING_PRICE_USD = "0.0002"  # of a second of compute, when an installation begins; later as the price book says
TRAINING_LEAST_S, TRAINING_MOST_S = 15, 900  # of compute, the budget of a run
TRAINED_KEPT_DAYS = number("TRAINED_KEPT_DAYS", 30)  # a trained model that nobody published; 0: for ever
TRAINING_LEASE_S = 30  # a run whose trainer was silent this long is taken over

# Money
TRIAL_CREDIT_NANOS = 1_000_000_000  # $1 for a new personal workspace
PRICE_NOTICE_DAYS = number("PRICE_NOTICE_DAYS", 14)  # a rise of a price in use is announced so long before
LEASE_BLOCK_NANOS = 50_000_000  # $0.05 lent to a process at a time, where the budget allows
LEASE_SECONDS = 60  # a lease is settled into the ledger after this
LEASE_GRACE_SECONDS = 30  # a dead process's lease is swept so much later, in a round every 10 s: 100 s at most
METER_EVENT_NAME = "mercato_usage"
STRIPE_CALLS_A_SECOND = 20  # of reports and comparisons, a process; Stripe's test mode allows 25 in all, live mode 100
TOP_UP_LEAST_NANOS = 5_000_000_000  # $5
TOP_UP_MOST_NANOS = 10_000_000_000_000  # $10,000
DUNNING_GRACE_DAYS = number("DUNNING_GRACE_DAYS", 7)  # from a failed payment until limits are reduced …
DUNNING_SUSPEND_DAYS = number("DUNNING_SUSPEND_DAYS", 21)  # … and until postpaid usage is refused
CREDIT_EXPIRES_DAYS = number("CREDIT_EXPIRES_DAYS", 365)  # bought credit, from the day of payment; 0: never
PUBLISHER_TERMS_DIR = ROOT / "marketplace" / "publishers" / "terms"  # <version>.<language>.md: see terms.py
PLATFORM_FEE_BP = 2_000  # of what others use of a publisher, in hundredths of a percent, unless agreed otherwise
PAYOUT_MINIMUM_CENTS = 2_500  # the least that is sent to a publisher at once
PAYOUT_HOLD_DAYS = 7  # until earnings can be paid out

# Stripe, or its local stand-in
SANDBOX_PORT = number("SANDBOX_PORT", PORT + 1)
STRIPE_API_KEY = secret("STRIPE_API_KEY")
STRIPE_IS_SANDBOX = not STRIPE_API_KEY
STRIPE_WEBHOOK_SECRET = secret("STRIPE_WEBHOOK_SECRET")
STRIPE_THIN_WEBHOOK_SECRET = secret("STRIPE_THIN_WEBHOOK_SECRET")  # of the endpoint for thin events
STRIPE_API_BASE = os.environ.get("STRIPE_API_BASE", "").rstrip("/")
STRIPE_TAX = switch("STRIPE_TAX", False)  # Stripe works out taxes and asks for addresses and tax ids
if STRIPE_IS_SANDBOX:
    STRIPE_API_KEY = "sk_test_sandbox"
    STRIPE_API_BASE = STRIPE_API_BASE or f"http://127.0.0.1:{SANDBOX_PORT}"
    STRIPE_WEBHOOK_SECRET = STRIPE_WEBHOOK_SECRET or kept_secret("SANDBOX_WEBHOOK_SECRET", DATA_DIR)
    CONTENT_SECURITY_POLICY["DIRECTIVES"]["form-action"].append(STRIPE_API_BASE)  # type: ignore[index] # a literal above
elif not STRIPE_WEBHOOK_SECRET:
    raise ImproperlyConfigured("STRIPE_API_KEY is set, so STRIPE_WEBHOOK_SECRET must be set too (whsec_…)")
STRIPE_THIN_WEBHOOK_SECRET = STRIPE_THIN_WEBHOOK_SECRET or STRIPE_WEBHOOK_SECRET

# Logs: one JSON object a line is left to the platform; nothing here ever logs a key or a payload
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"kombu.connection": {"level": "ERROR"}},  # folders have no host name, and it says so
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "WARNING")},
}

UNFOLD = {
    "SITE_TITLE": "Mercato",
    "SITE_HEADER": "Mercato",
    "SITE_URL": "/",
    "COLORS": {
        "primary": {
            "50": "oklch(98.4% .014 180.72)",
            "100": "oklch(95.3% .051 180.8)",
            "200": "oklch(91% .096 180.43)",
            "300": "oklch(85.5% .138 181.07)",
            "400": "oklch(77.7% .152 181.91)",
            "500": "oklch(70.4% .14 182.5)",
            "600": "oklch(60% .118 184.7)",
            "700": "oklch(51.1% .096 186.39)",
            "800": "oklch(43.7% .078 188.22)",
            "900": "oklch(38.6% .063 188.42)",
            "950": "oklch(27.7% .046 192.52)",
        }
    },
    "DASHBOARD_CALLBACK": "portal.pages.dashboard.operator_dashboard",
}
