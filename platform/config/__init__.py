"""The composition root: settings, routes, access, WSGI and Celery. It imports everything; nothing imports it."""
