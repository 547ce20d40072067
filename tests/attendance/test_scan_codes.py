"""Which codes a scan accepts: rotating codes, cards and codes of sessions; and which it refuses."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from tatami import clock
from tenant_apps.attendance.check_in.codes import ALPHABET, CodeKind, make_token
from tenant_apps.attendance.check_in.service import CARD_SHARED_WITHIN
from tests.attendance.scanning import (
    attendances,
    pair_kiosk,
    refusal_codes,
    scan,
    sign_in_again,
    with_admin_signed_in,
)
from tests.support import factories
from tests.support.clients import Dojo
from tests.support.now import NOW
from tests.support.responses import assert_error, assert_invalid, ok


@pytest.mark.parametrize(
    "what",
    [
        "garbage",
        "empty url",
        "cut off",
        "changed",
        "longer by a letter",
        "longer by a byte",
        "a vowel more",
        "hexadecimal digits",
        "a space inside",
        "a long s",
        "two identifiers",
        "another path",
        "another dojo's",
        "student unknown here",
        "padded",
        "ünicode",
    ],
)
def test_every_invalid_code_receives_the_same_response(
    dojo: Dojo, other_dojo: Dojo, mika: Any, evening: Any, what: str
) -> None:
    good = factories.qr_token(dojo.admin, mika)
    wrong = {
        "garbage": "garbage",
        "empty url": "http://aiki.localhost/check-in/",
        "cut off": good[:-1],
        "changed": ("B" if good[10] != "B" else "C").join((good[:10], good[11:])),
        "hexadecimal digits": good.translate(str.maketrans(ALPHABET, "0123456789ABCDEF")),
        "a space inside": f"{good[:10]} {good[10:]}",
        "a long s": good.replace("S", "\u017f", 1) if "S" in good else "\u017f" + good[1:],
        "two identifiers": f"]Q1]Q1{good}",
        "another path": f"http://aiki.localhost/check-out/{good}",
        "longer by a letter": good + "B",
        "longer by a byte": good + "BB",
        "a vowel more": good + "A",
        "another dojo's": factories.qr_token(other_dojo.admin, factories.student(other_dojo)),
        "student unknown here": code_of_unknown_student(dojo),
        "padded": good + "=",
        "ünicode": "ü" * 50,
    }[what]
    answer, garbage = scan(dojo.admin, wrong), scan(dojo.admin, "garbage")
    assert_error(answer, 400, "qr_invalid")
    assert answer.content == garbage.content
    assert attendances(dojo) == []
    assert refusal_codes(dojo) == []


def typed(*rows: str) -> dict[int, str]:
    """Return what a keyboard layout shows for each key that a scanner with a US layout presses."""
    us = (
        ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"),
        ("!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"', "ZXCVBNM<>?"),
    )
    return dict(zip(map(ord, "".join(us[0] + us[1])), "".join(rows), strict=True))


KEYBOARDS = {
    "US": {},
    "German": typed("1234567890ß´", "qwertzuiopü+", "asdfghjklöä", "yxcvbnm,.-",
                    '!"§$%&/()=?`', "QWERTZUIOPÜ*", "ASDFGHJKLÖÄ", "YXCVBNM;:_"),
    "Swiss": typed("1234567890'^", "qwertzuiopü¨", "asdfghjklöä", "yxcvbnm,.-",
                   '+"*ç%&/()=?`', "QWERTZUIOPè!", "ASDFGHJKLéà", "YXCVBNM;:_"),
    "French": typed("&é\"'(-è_çà)=", "azertyuiop^$", "qsdfghjklmù", "wxcvbn,;:!",
                    "1234567890°+", "AZERTYUIOP¨£", "QSDFGHJKLM%", "WXCVBN?./§"),
    "Italian": typed("1234567890'ì", "qwertyuiopè+", "asdfghjklòà", "zxcvbnm,.-",
                     '!"£$%&/()=?^', "QWERTYUIOPé*", "ASDFGHJKLç°", "ZXCVBNM;:_"),
    "Spanish": typed("1234567890'¡", "qwertyuiop`+", "asdfghjklñ´", "zxcvbnm,.-",
                     '!"·$%&/()=?¿', "QWERTYUIOP^*", "ASDFGHJKLÑ¨", "ZXCVBNM;:_"),
    "Turkish": typed("1234567890*-", "qwertyuıopğü", "asdfghjklşi", "zxcvbnmöç.",
                     "!'^+%&/()=?_", "QWERTYUIOPĞÜ", "ASDFGHJKLŞİ", "ZXCVBNMÖÇ:"),
}  # fmt: skip


@pytest.mark.parametrize("layout", KEYBOARDS)
@pytest.mark.parametrize("caps_lock", [False, True])
@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("]Q1", ""), ("]Q3", "\r\n"), ("\x02", "\x03"), ("", "\t")]
)
def test_a_code_survives_a_scanner_that_types(
    dojo: Dojo, mika: Any, evening: Any, layout: str, caps_lock: bool, before: str, after: str
) -> None:
    code = (before + factories.qr_token(dojo.admin, mika, kind="card")).translate(KEYBOARDS[layout]) + after
    body = ok(scan(dojo.admin, code.swapcase() if caps_lock else code), 201)
    assert body["student"]["id"] == mika["id"]
    again = ok(dojo.admin.post("/attendance/sync", {"sent_at": NOW.isoformat(), "scans": [
        {"token": code.lower(), "nonce": "n-1", "scanned_at": NOW.isoformat()},
    ]}))  # fmt: skip
    assert again["results"][0]["status"] == "already_recorded"


@pytest.mark.parametrize(
    "change", [str.upper, str.lower, "]Q1{}\n".format, " {}\t".format, "\ufeff{}".format]
)
def test_the_url_of_a_code_survives_a_scanner(dojo: Dojo, mika: Any, evening: Any, change: Any) -> None:
    factories.link_user(dojo, dojo.student, mika)
    url = factories.session_qr_code(dojo.admin, evening)["url"]
    ok(scan(dojo.student, change(url)), 201)


def code_of_unknown_student(dojo: Dojo) -> str:
    """Return a code, signed by the dojo's key, for an id that no student has."""

    return make_token(CodeKind.STUDENT, b"\x07" * 16, tenant_id=dojo.tenant.tenant_id, now=clock.now())


@pytest.mark.parametrize(
    ("seconds", "good"), [(0, True), (29, True), (30, True), (59, True), (60, False), (3600, False)]
)
def test_a_rotating_code_is_accepted_one_step_longer(dojo: Dojo, mika: Any, seconds: int, good: bool) -> None:
    factories.single_session(dojo)
    dojo.admin.patch("/settings", {"closes_minutes_after": 240})
    token = factories.qr_token(dojo.admin, mika)
    with clock.fixed(NOW + timedelta(seconds=seconds)):
        answer = scan(sign_in_again(dojo.admin, dojo), token)
        if good:
            ok(answer, 201)
        else:
            assert_error(answer, 400, "qr_expired")
            assert refusal_codes(with_admin_signed_in(dojo)) == ["qr_expired"]


def test_a_rotating_code_must_be_valid_at_scanned_at(dojo: Dojo, mika: Any, evening: Any) -> None:
    token = factories.qr_token(dojo.admin, mika)
    with clock.fixed(NOW + timedelta(hours=1)):
        caller = sign_in_again(dojo.admin, dojo)
        assert_error(scan(caller, token), 400, "qr_expired")
        ok(scan(caller, token, scanned_at=(NOW + timedelta(seconds=10)).isoformat()), 201)


def test_a_code_of_the_future_is_refused(dojo: Dojo, mika: Any, evening: Any) -> None:
    with clock.fixed(NOW + timedelta(minutes=5)):
        token = factories.qr_token(sign_in_again(dojo.admin, dojo), mika)
    assert scan(dojo.admin, token).status_code == 400


def test_a_code_of_the_previous_secret_is_accepted_and_an_older_one_is_not(
    dojo: Dojo, mika: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.single_session(dojo)
    card, front = factories.qr_token(dojo.admin, mika, kind="card"), pair_kiosk(dojo)
    present = settings.TATAMI_SECRETS[0]
    monkeypatch.setattr(settings, "TATAMI_SECRETS", ["n" * 40, present])
    ok(scan(front, card), 201)
    monkeypatch.setattr(settings, "TATAMI_SECRETS", ["o" * 40, "n" * 40])
    assert_error(scan(front, card), 400, "qr_invalid")


def test_a_student_may_not_scan_the_code_of_a_student(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    factories.link_user(dojo, dojo.student, mika)
    assert_error(scan(dojo.student, factories.qr_token(dojo.student, mika)), 403, "permission_denied")
    token = factories.session_qr_code(dojo.admin, factories.single_session(dojo))["token"]
    assert_error(scan(dojo.person("student", "nobodys"), token), 403, "permission_denied")


# --- cards --------------------------------------------------------------------------------------------------


def test_a_card_does_not_expire(dojo: Dojo, mika: Any) -> None:
    card = ok(dojo.admin.post("/qr", {"student": mika["id"], "kind": "card"}), 201)
    assert card["expires_at"] is None
    with clock.fixed(NOW + timedelta(days=300)):
        today = with_admin_signed_in(dojo)
        factories.single_session(today, "2027-04-11T16:30:00Z")
        assert ok(scan(today.admin, card["token"]), 201)["attendance"]["method"] == "qr_card"


def test_a_reissued_card_revokes_the_previous_one(dojo: Dojo, mika: Any, evening: Any) -> None:
    old = factories.qr_token(dojo.admin, mika, kind="card")
    new = ok(dojo.admin.post(f"/students/{mika['id']}/card", {}), 201)["token"]
    assert_error(scan(dojo.admin, old), 400, "qr_revoked")
    assert refusal_codes(dojo) == ["qr_revoked"]
    ok(scan(dojo.admin, new), 201)


def test_a_lost_card_is_revoked(dojo: Dojo, mika: Any, evening: Any) -> None:
    card = factories.qr_token(dojo.admin, mika, kind="card")
    ok(dojo.admin.delete(f"/students/{mika['id']}/card"), 204)
    assert_error(scan(dojo.admin, card), 400, "qr_revoked")


def test_a_dojo_may_forbid_cards(dojo: Dojo, mika: Any) -> None:
    factories.single_session(dojo)
    card = factories.qr_token(dojo.admin, mika, kind="card")
    ok(dojo.admin.patch("/settings", {"card_policy": "forbid"}))
    assert_error(scan(dojo.admin, card), 400, "qr_revoked")
    ok(scan(dojo.admin, factories.qr_token(dojo.admin, mika)), 201)


@pytest.mark.parametrize(("policy", "apart", "flagged"), [
    ("flag", timedelta(seconds=5), True), ("flag", CARD_SHARED_WITHIN + timedelta(seconds=1), False),
    ("allow", timedelta(seconds=5), False),
])  # fmt: skip
def test_a_card_used_at_two_devices_within_seconds_is_flagged(
    dojo: Dojo, mika: Any, policy: str, apart: timedelta, flagged: bool
) -> None:
    factories.single_session(dojo)
    ok(dojo.admin.patch("/settings", {"card_policy": policy}))
    card = factories.qr_token(dojo.admin, mika, kind="card")
    front = pair_kiosk(dojo)
    ok(scan(front, card), 201)
    ok(scan(front, card), 200)
    with clock.fixed(NOW + apart):
        body = ok(scan(dojo.assistant, card), 200)
        assert [one["code"] for one in body["alerts"]] == (["card_shared"] if flagged else [])
        kept = ok(dojo.admin.get("/attendance/refusals"))["results"]
        assert [one["code"] for one in kept] == (["card_shared"] if flagged else [])
        ok(scan(pair_kiosk(dojo), card), 200)


# --- codes of sessions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["card", "rotating"])
def test_a_student_scans_the_code_of_a_session(dojo: Dojo, mika: Any, evening: Any, kind: str) -> None:
    factories.link_user(dojo, dojo.student, mika)
    code = factories.session_qr_code(dojo.admin, evening, kind=kind)
    body = ok(scan(dojo.student, code["url"]), 201)
    assert body["attendance"]["method"] == "session_code"
    assert body["attendance"]["class_session"]["id"] == evening["id"]


def test_a_user_with_several_linked_students_must_name_one(dojo: Dojo, evening: Any) -> None:
    children = [factories.student(dojo, first_name=name) for name in ("Ai", "Bo")]
    factories.link_user(dojo, dojo.student, *children)
    token = factories.session_qr_code(dojo.admin, evening)["token"]
    details = assert_error(scan(dojo.student, token), 409, "ambiguous_student")
    assert sorted(details["candidates"], key=lambda one: one["name"]) == [
        {"id": one["id"], "name": one["name"]} for one in children
    ]
    body = ok(scan(dojo.student, token, student=children[1]["id"]), 201)
    assert body["student"]["name"] == "Bo Sato"


def test_a_user_may_not_name_a_student_who_is_not_linked(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.link_user(dojo, dojo.student, mika)
    stranger = factories.student(dojo)
    token = factories.session_qr_code(dojo.admin, evening)["token"]
    assert_invalid(scan(dojo.student, token, student=stranger["id"]), "student")
    assert attendances(dojo) == []
    assert refusal_codes(dojo) == [], "a body that is not valid is no refusal of a scan"


def test_staff_scan_the_code_of_a_session_for_themselves_or_for_a_named_student(
    dojo: Dojo, mika: Any
) -> None:
    token = factories.session_qr_code(dojo.admin, factories.single_session(dojo))["token"]
    assert_error(scan(dojo.instructor, token), 409, "ambiguous_student")
    assert ok(scan(dojo.instructor, token, student=mika["id"]), 201)["student"]["id"] == mika["id"]
    assert_invalid(scan(dojo.instructor, token, student=factories.unknown_id()), "student")
    me = factories.student(dojo, first_name="Sensei")
    factories.link_user(dojo, dojo.instructor, me)
    assert ok(scan(dojo.instructor, token), 201)["student"]["id"] == me["id"]


def test_the_code_of_a_session_of_another_dojo_is_invalid(
    dojo: Dojo, other_dojo: Dojo, mika: Any, evening: Any
) -> None:
    factories.link_user(dojo, dojo.student, mika)
    theirs = factories.session_qr_code(other_dojo.admin, factories.single_session(other_dojo))
    assert_error(scan(dojo.student, theirs["token"]), 400, "qr_invalid")
    assert_error(scan(dojo.student, theirs["url"]), 400, "qr_invalid")


def test_a_rotating_code_of_a_session_expires(dojo: Dojo, mika: Any, evening: Any) -> None:
    factories.link_user(dojo, dojo.student, mika)
    token = factories.session_qr_code(dojo.admin, evening, kind="rotating")["token"]
    with clock.fixed(NOW + timedelta(seconds=61)):
        assert_error(scan(sign_in_again(dojo.student, dojo), token), 400, "qr_expired")
