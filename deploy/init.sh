#!/bin/sh
# The service `init` runs this once: logins, then migrations and the superadmin. Running it again changes nothing.
set -eu
python deploy/logins.py
exec python manage.py prepare
