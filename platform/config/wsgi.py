"""The WSGI application, for granian or another WSGI server."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from tatami.api.wsgi import get_wsgi_application
from tatami.metrics import serve_metrics
from tatami.postgresql.logins import refuse_to_start_unsafely

application = get_wsgi_application()
refuse_to_start_unsafely()
serve_metrics()
