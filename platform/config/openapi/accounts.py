"""The operations of `/me` and `/users` on each kind of host: the same views with different examples."""

from typing import Final

from shared_apps.accounts.openapi import USER_EXAMPLE, me_operations, user_operations
from tatami.api.openapi import examples

ON_THE_PLATFORM: Final = {
    "me": me_operations({**USER_EXAMPLE, "tenant": None, "students": []}),
    **user_operations(
        {
            **USER_EXAMPLE,
            "tenant_id": examples.PLATFORM,
            "is_active": True,
            "archived": False,
            **examples.STAMPS,
        },
        {"email": "ren@example.com", "name": "Ren Ito", "role": "admin"},
    ),
}

_TENANT: Final = {
    "id": examples.TENANT,
    "slug": "seishin",
    "name": "Seishin Dojo",
    "timezone": "Europe/Berlin",
}
IN_A_TENANT: Final = {
    "me": me_operations({**USER_EXAMPLE, "tenant": _TENANT, "students": [examples.MIKA]}),
    **user_operations(
        examples.row(
            examples.USER,
            email=examples.EMAIL,
            name="Hana Sato",
            role="admin",
            is_active=True,
            archived=False,
            students=[examples.MIKA],
        ),
        {
            "email": "ren@example.com",
            "name": "Ren Ito",
            "role": "student",
            "students": [examples.STUDENT],
        },
    ),
}
