"""The pages of the URL table, and an address of each with the objects of a sample dojo."""

import re
from typing import Final
from uuid import uuid4

from tatami.api.routes import Route, routes
from tests.http.sample_dojos import SampleHost

SLUGS: Final = {"tab": "dojo", "kind": "totp", "report": "attendance", "name": "free"}
"""Values of path parameters that are no ids."""
SAMPLE_IDS: Final = {
    "account-factor": "second factor of {role}",
    "account-session": "own session of {role}",
    "api-key": "api key",
    "batch": "batch",
    "class": "class",
    "discipline": "discipline",
    "exam": "exam",
    "export": "kept export",
    "family-certificate": "award",
    "family": "student",
    "message": "notification",
    "rank-system": "rank system",
    "session": "session",
    "student": "student",
    "user": "user",
    "webhook": "webhook",
    "certificate": "award",
    "closure": "closure",
    "device": "device",
}
"""The name of a page begins so → the object of the sample dojo in its address. The longest beginning wins."""
RECORDS: Final = {
    "student-enrolment-end": "class",
    "student-fact-void": "fact",
    "student-hold-delete": "hold",
    "student-hold-edit": "hold",
    "student-login-end": "user",
    "student-note-delete": "note",
    "student-note-edit": "note",
    "student-rank-void": "rank event",
    "student-visit-void": "attendance",
}
PARAMETERS: Final = {"candidate": "candidate", "rank_id": "rank", "student": "student"}
PARTICULAR: Final = {
    ("exam-certificates", "exam_id"): "finished exam",
    ("exam-federation-report", "exam_id"): "finished exam",
    ("exam-fulfilment", "candidate"): "conditional candidate",
    ("exam-fulfilment", "id"): "conditional exam",
    ("exam-reopen", "id"): "finished exam",
    ("exam-sheet", "id"): "candidate",
}
"""Page and path parameter → the object, where the beginning of the name does not say it."""


def pages() -> list[Route]:
    found = [one for one in routes("config.urls_tenant") if one.name.startswith("desk:")]
    assert found
    return found


def name_of(route: Route) -> str:
    return route.name.partition(":")[2]


def address_of(route: Route, sample: SampleHost, role: str) -> str:
    """Return an address of the page that the sample dojo has."""
    name = name_of(route)

    def fill(found: re.Match[str]) -> str:
        if found[1] != "uuid":
            return sample.codes["session"] if found[2] == "token" else SLUGS.get(found[2], "1")
        if found[2] == "record_id":
            return sample.ids[RECORDS[name]]
        if (name, found[2]) in PARTICULAR or found[2] in PARAMETERS:
            return sample.ids[PARTICULAR.get((name, found[2])) or PARAMETERS[found[2]]]
        begins = max((one for one in SAMPLE_IDS if name.startswith(one)), key=len, default=name)
        assert begins in SAMPLE_IDS, f"SAMPLE_IDS has no object for the page {name}"
        return sample.ids[SAMPLE_IDS[begins].format(role=role)]

    return "/" + re.sub(r"<(?:(\w+):)?(\w+)>", fill, route.path)


def unknown_address(route: Route) -> str:
    """Return an address of the page, with ids that no object has."""
    filled = re.sub(
        r"<(?:(\w+):)?(\w+)>",
        lambda found: str(uuid4()) if found[1] == "uuid" else SLUGS.get(found[2], "1"),
        route.path,
    )
    return f"/{filled}"
