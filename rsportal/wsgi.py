"""WSGI entry point of the web process."""

import os
from pathlib import Path

from django.core.wsgi import get_wsgi_application

from rsportal.dotenv import load_dotenv

load_dotenv(Path(__file__).resolve().parent.parent / ".env")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rsportal.settings")

application = get_wsgi_application()

from rsportal.warmup import warmup_start  # noqa: E402  (needs the settings)

warmup_start()
