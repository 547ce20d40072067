"""The WSGI application, for granian or another WSGI server."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from tatami.api.wsgi import get_wsgi_application
from tatami.garbage_collection import collect_less_often
from tatami.metrics import serve_metrics
from tatami.postgresql.login_check import check_logins_at_start
from tatami.tracing import start_tracing

start_tracing("tatami-web")  # before the middleware is loaded, which leaves out what is not used
application = get_wsgi_application()
check_logins_at_start()
serve_metrics()
collect_less_often()
