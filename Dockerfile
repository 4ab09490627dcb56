# The portal without its database: web and workers run from this one image (see compose.yaml).
FROM python:3.11-slim

# GPU or CPU: docs/operations.md. Empty takes torch from where pip takes everything else.
ARG TORCH_INDEX=""

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    RSPORTAL_PROFILE=production \
    RSPORTAL_VAR_DIR=/var/lib/rsportal

# rasterio's wheel leaves this one library to the system, and slim images do not have it.
RUN apt-get update && apt-get install -y --no-install-recommends libexpat1 && rm -rf /var/lib/apt/lists/*

RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/rsportal rsportal \
    && install -d -o rsportal -g rsportal -m 750 /var/lib/rsportal

WORKDIR /app
COPY requirements.txt .
RUN if [ -n "$TORCH_INDEX" ]; then pip install --index-url "$TORCH_INDEX" "$(grep -E '^torch==' requirements.txt)"; fi \
    && pip install -r requirements.txt

COPY . .
RUN pybabel compile --directory rsportal/locale --domain django || [ -z "$(find rsportal/locale -name '*.po')" ]

USER rsportal
VOLUME /var/lib/rsportal
EXPOSE 8000

# One process with threads: the model is loaded once, and every thread shares it.
CMD ["gunicorn", "rsportal.wsgi:application", "--bind", "0.0.0.0:8000", "--workers", "1", \
     "--worker-class", "gthread", "--threads", "8", "--timeout", "120", "--graceful-timeout", "20", \
     "--limit-request-line", "8190"]

HEALTHCHECK --interval=30s --timeout=6s --start-period=60s CMD ["python", "-m", "rsportal.probe"]
