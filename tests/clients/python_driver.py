"""The main job of a dojo with a generated Python client. `test_clients.py` generates `tatami_client` and runs this.

Arguments: the URL of the server, the host of the dojo, an address and a password.
"""

import sys
from datetime import UTC, date, datetime

from tatami_client import AuthenticatedClient, Client
from tatami_client.api.attendance import list_attendance, scan_code
from tatami_client.api.auth import log_in
from tatami_client.api.class_sessions import create_class_session
from tatami_client.api.classes import create_class
from tatami_client.api.promotions import check_promotions
from tatami_client.api.qr import create_code
from tatami_client.api.rank_systems import create_rank_system
from tatami_client.api.students import create_student, create_student_rank_event
from tatami_client.models import (
    CheckAnswer,
    CheckInStatus,
    CheckRequest,
    Code,
    LoginRequest,
    NewSessionRequest,
    NewStudent,
    PaginatedAttendanceList,
    PresetChoiceRequest,
    QrRequest,
    RankEvent,
    RankEventRequest,
    RankEventRequestKind,
    RankSystem,
    RecurrenceRequest,
    RecurrenceRequestWeekdaysItem,
    ScanRequest,
    Session,
    SignIn,
    StudentRequest,
    TrainingClass,
    TrainingClassRequest,
)
from tatami_client.models.check_in import CheckIn
from tatami_client.models.invalid_response import InvalidResponse


def main(url: str, host: str, email: str, password: str) -> None:
    """Sign in, record an attendance with a code, and check for promotion."""
    today = datetime.now(UTC).date()
    signed_in = log_in.sync(
        client=Client(base_url=url, headers={"Host": host}), body=LoginRequest(email=email, password=password)
    )
    assert isinstance(signed_in, SignIn), signed_in
    client = AuthenticatedClient(base_url=url, headers={"Host": host}, token=signed_in.access)

    nameless = create_student.sync(client=client, body=StudentRequest(first_name=""))
    assert isinstance(nameless, InvalidResponse), nameless
    assert nameless.error.code == "validation_error"
    student = create_student.sync(
        client=client, body=StudentRequest(first_name="Mika", last_name="Sato", birth_date=date(2012, 3, 1))
    )
    assert isinstance(student, NewStudent), student
    system = create_rank_system.sync(client=client, body=PresetChoiceRequest(preset="aikikai"))
    assert isinstance(system, RankSystem), system
    event = RankEventRequest(rank=system.ranks[0].id, kind=RankEventRequestKind.IMPORT, effective_on=today)
    ranked = create_student_rank_event.sync(student.id, client=client, body=event)
    assert isinstance(ranked, RankEvent), ranked

    recurrence = RecurrenceRequest(
        weekdays=[RecurrenceRequestWeekdaysItem.MO],
        start_time="18:30",
        duration_minutes=90,
        from_=today,
    )
    evening = create_class.sync(
        client=client, body=TrainingClassRequest(name="Evening class", recurrence=recurrence)
    )
    assert isinstance(evening, TrainingClass), evening
    session = create_class_session.sync(
        client=client,
        body=NewSessionRequest(
            name="Today", class_=evening.id, starts_at=datetime.now(UTC), duration_minutes=90
        ),
    )
    assert isinstance(session, Session), session

    code = create_code.sync(client=client, body=QrRequest(student=student.id))
    assert isinstance(code, Code), code
    body = ScanRequest(token=code.token, class_session=session.id)
    for status in (CheckInStatus.RECORDED, CheckInStatus.ALREADY_RECORDED):
        scanned = scan_code.sync(client=client, body=body)
        assert isinstance(scanned, CheckIn), scanned
        assert scanned.status == status
    listed = list_attendance.sync(client=client, student=student.id, from_=today.replace(day=1))
    assert isinstance(listed, PaginatedAttendanceList), listed
    assert [one.class_session.id for one in listed.results] == [session.id]

    check = check_promotions.sync(client=client, body=CheckRequest(students=[student.id]))
    assert isinstance(check, CheckAnswer), check
    assert {one.student.name for one in check.results} == {"Mika Sato"}
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(*sys.argv[1:5])
