#!/bin/sh
# The service `init` runs this once: logins, then migrations and the superadmin. Running it again changes nothing.
set -eu
POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password python deploy/logins.py
TATAMI_SUPERADMIN_PASSWORD="$(cat /run/secrets/superadmin_password)"
export TATAMI_SUPERADMIN_PASSWORD
exec python manage.py prepare
