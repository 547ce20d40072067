"""Sample data for tests of all routes: a dojo, or the platform, with at least one object of each kind."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pyotp import TOTP

from shared_apps.accounts import second_factors, second_step
from shared_apps.accounts.challenges import second_step_challenge
from shared_apps.accounts.models import PasswordLink, SecondFactor, Session, User
from shared_apps.accounts.oidc.provider_client import ProviderMetadata, remember
from shared_apps.accounts.oidc.sign_in import issue_code
from shared_apps.accounts.second_factors import Proof
from shared_apps.accounts.sessions import open_session
from shared_apps.tenants.domain_dns import proof_record
from shared_apps.tenants.exports.files import link_token
from shared_apps.tenants.models import Domain, Tenant, TenantExport
from tatami import clock
from tatami.api.openapi import examples
from tatami.encryption import encrypt
from tatami.ids import uuid7
from tatami.jobs import JobRun
from tatami.keys import secret_hash
from tatami.tenancy.scope import TenantScope, platform_scope, tenant_scope
from tenant_apps.notifications.addresses import address_hash, unsubscribe_url
from tenant_apps.promotions.models import Certificate
from tenant_apps.promotions.snapshot import take_snapshot
from tests.support import factories
from tests.support.authenticator import Authenticator, encode
from tests.support.clients import Caller, Dojo, Platform
from tests.support.dns import RECORDS
from tests.support.responses import ok

ROLES = ("admin", "instructor", "assistant", "student")
DEVICE = "device"
KEY = "api key"
READ_ONLY_KEY = "read-only api key"
PASSWORD = "the old bamboo sword"
NEW_PASSWORD = "a much newer bokken"
TOTP_SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
LINK = "secret-of-a-mailed-link"


@dataclass
class SampleHost:
    """The sample data of one host: callers by role, ids by name, codes and secrets by name."""

    host: str
    scope: TenantScope | None
    callers: dict[str, Caller]
    ids: dict[str, str] = field(default_factory=dict)
    refresh: str = ""
    codes: dict[str, str] = field(default_factory=dict)
    rules: dict[str, Any] = field(default_factory=dict)
    passkey: dict[str, Any] = field(default_factory=dict)
    """What a passkey has signed for `codes["passkey challenge"]`."""

    def id_for(self, name: str, role: str) -> str:
        """Return the id or the code of this name; the one of the role, if there is one for each role."""
        return self.ids.get(f"{name} of {role}") or self.ids.get(name) or self.codes[name]

    def scope_context(self) -> Any:
        return tenant_scope(self.scope) if self.scope else platform_scope()


def create_sample_dojo(dojo: Dojo, hashed_password: str) -> SampleHost:
    callers = {role: dojo.person(role) for role in ROLES}
    sample = SampleHost(host=dojo.host, scope=dojo.tenant, callers=callers)
    ids, admin = sample.ids, dojo.admin
    assert admin.patch("/settings", {"certificate_number": "{year}-{number:3}"}).status_code == 200

    system = factories.rank_system(dojo, discipline=factories.discipline(dojo)["id"])
    ids["rank system"], ids["discipline"] = system["id"], system["discipline"]["id"]
    ids["rank"] = factories.rank_id(system, "4-kyu")
    sample.rules = admin.get(f"/rank-systems/{ids['rank system']}/rules").json()

    mother = {"name": "Hana Sato", "email": "hana@example.com", "relation": "mother"}
    mine = factories.student(dojo, guardians=[mother], external_id="mika-1")
    theirs = factories.student(dojo, first_name="Ren", guardians=[{"name": "Jun Ito"}])
    third = factories.student(dojo, first_name="Yui")
    ids["student"], ids["student of the other family"], ids["third student"] = (
        mine["id"],
        theirs["id"],
        third["id"],
    )
    factories.link_user(dojo, dojo.student, mine)

    evening = factories.training_class(dojo, discipline=ids["discipline"])
    ids["class"], ids["session"] = evening["id"], factories.session_today(dojo, evening)["id"]
    earlier = factories.list_sessions(
        dojo, **{"class": evening["id"], "from": "2026-06-08", "to": "2026-06-08"}
    )[0]
    for role in ("instructor", "assistant"):
        session = factories.single_session(dojo, "2026-06-10T16:30:00Z", name=f"Training with the {role}")
        body = {"student": mine["id"], "class_session": session["id"]}
        recorded = dojo.person(role).post("/attendance", body)
        assert recorded.status_code == 201, recorded.content
        ids[f"attendance of {role}"] = recorded.json()["attendance"]["id"]
    for who, whose in ((theirs, " of the other family"), (mine, "")):
        admin.post(f"/classes/{evening['id']}/enrolments", {"student": who["id"]})
        ids[f"attendance{whose}"] = factories.attendance(dojo, who, earlier)["id"]
        ids["rank event"] = factories.rank_event(dojo, who, factories.rank_id(system, "5-kyu"), "2026-01-10")[
            "id"
        ]
        finished_exam, award = factories.passed_exam(dojo, system, who, ids["rank"])
        ids["finished exam"], ids[f"award{whose}"] = finished_exam["id"], award["id"]
        exam = factories.exam(dojo, system, "2026-06-15")
        ids[f"exam{whose}"] = exam["id"]
        ids[f"candidate{whose}"] = factories.candidate(dojo, exam, who, ids["rank"])["id"]
        ids["fact"] = factories.fact(dojo, who, "document", "article", "2026-03-01")["id"]
        ids[f"hold{whose}"] = factories.hold(dojo, who, "2026-01-01", "2026-01-31")["id"]
        for role in ("admin", "instructor"):
            note = dojo.person(role).post(f"/students/{who['id']}/notes", {"text": "Left knee"})
            assert note.status_code == 201, note.content
            ids[f"note of {role}"] = ids["note"] = note.json()["id"]
    left = {"student": mine["id"], "from": "2026-05-01"}
    earlier_class = factories.training_class(dojo, name="Beginners")
    dojo.create(f"/classes/{earlier_class['id']}/enrolments", left)
    assert admin.delete(f"/classes/{earlier_class['id']}/enrolments/{mine['id']}").status_code == 204
    closure = {"from": "2026-08-03", "until": "2026-08-09", "classes": [evening["id"]]}
    ids["closure"] = dojo.create("/closures", closure)["id"]
    held, conditional = factories.conditional_pass(dojo, system, third, ids["rank"])
    ids["conditional exam"], ids["conditional candidate"] = held["id"], conditional["id"]
    ids["batch"] = factories.batch(dojo, third)["id"]
    assert admin.put("/settings/logo", {"image": factories.RED_PIXEL}).status_code == 200
    ok(admin.patch("/sign-in-policy", {"second_factor_roles": []}))
    ids["notification"] = factories.notification(dojo, mine)["id"]
    with tenant_scope(dojo.tenant):
        take_snapshot(JobRun(now=clock.now()))
        unsubscribe = unsubscribe_url(address_hash("hana@example.com")).rpartition("/")[2]
        certificate = Certificate.objects.get(event=ids["award"]).code
    sample.callers[DEVICE], ids["device"] = factories.paired_device(dojo)
    session_code = factories.session_qr_code(admin, {"id": ids["session"]})["token"]
    sample.codes = {
        "student": factories.qr_token(admin, third),
        "card": factories.qr_token(admin, third, kind="card"),
        "session": session_code,
        "check-in": session_code,
        "pairing": factories.unpaired_device(dojo, "Back door")["pairing_code"],
        "feed": factories.calendar_feed_token(admin),
        "certificate": certificate,
        "unsubscribe": unsubscribe,
        "template": "promotion",
    }
    _add_accounts(sample, hashed_password)
    _add_identity_provider(sample)
    with platform_scope():
        tenant = Tenant.objects.get(pk=dojo.tenant.tenant_id)
        for name in (
            "own export",
            "kept export",
        ):  # a deletion takes the file, too, which no rollback brings back
            ids[name] = str(_finished_export(tenant, is_own=True).pk)
    return sample


def create_sample_platform(platform: Platform, hashed_password: str) -> SampleHost:
    sample = SampleHost(host=platform.host, scope=None, callers={"admin": platform.superadmin()})
    with platform_scope():
        for name, status in (("tenant", "active"), ("tenant that is deleted", "deleting")):
            tenant_id = uuid7()
            slug = f"spare-{status}"
            tenant = Tenant.objects.create(
                id=tenant_id,
                slug=slug,
                name="Spare",
                timezone="UTC",
                status=status,
                schema_name=f"t_{tenant_id.hex}",
            )
            domain = f"{slug}.localhost"
            Domain.objects.create(tenant=tenant, domain=domain, is_primary=True, verified_at=clock.now())
            sample.ids[name] = str(tenant_id)
        sample.ids["tenant that serves"] = str(Tenant.objects.get(slug="kendo").pk)
        _add_domains(sample)
        _add_export(sample)
    _add_accounts(sample, hashed_password)
    return sample


def _add_export(sample: SampleHost) -> None:
    """Add an export that is done, with a minimal zip file as its archive."""
    export = _finished_export(Tenant.objects.get(pk=sample.ids["tenant"]))
    sample.ids["export"] = str(export.pk)
    sample.codes["archive link"] = link_token(export, now=clock.now())


def _finished_export(tenant: Tenant, *, is_own: bool = False) -> TenantExport:
    now = clock.now()
    export = TenantExport(tenant=tenant, status="done", total=7, done=7, bytes=4, sha256="0" * 64, attempts=1)
    export.is_own = is_own
    export.lease_until = export.finished_at = now
    export.expires_at = now + timedelta(days=7)
    export.name = default_storage.save(f"{tenant.pk}/exports/{export.pk}-1.zip", ContentFile(b"PK\x05\x06"))
    export.save()
    return export


def _add_domains(sample: SampleHost) -> None:
    """Add a verified domain, and a claimed one whose DNS record exists."""
    tenant = Tenant.objects.get(pk=sample.ids["tenant"])
    sample.codes |= {"domain": examples.DOMAIN, "claimed domain": examples.CLAIMED_DOMAIN}
    for domain, verified_at in ((examples.DOMAIN, clock.now()), (examples.CLAIMED_DOMAIN, None)):
        Domain.objects.create(tenant=tenant, domain=domain, is_primary=False, verified_at=verified_at)
    record = proof_record(tenant.pk, examples.CLAIMED_DOMAIN)
    RECORDS[record.name] = [record.value]


def _add_accounts(sample: SampleHost, hashed_password: str) -> None:
    _add_api_keys(sample)
    _add_webhook(sample)
    with sample.scope_context():
        colleague = User.objects.create(
            email="c@example.com", email_key="c@example.com", name="Colleague", role="instructor"
        )
        sample.ids["user"] = str(colleague.pk)
        User.objects.update(password=hashed_password)
        sample.refresh = open_session(colleague, now=clock.now()).refresh
        later = clock.now().replace(year=2027)
        PasswordLink.objects.create(user=colleague, secret_hash=secret_hash(LINK), expires_at=later)
        _add_second_factors(sample, colleague)


def _add_second_factors(sample: SampleHost, colleague: User) -> None:
    """Add a session, a confirmed and a new authenticator for each caller, and challenges of two users.

    All authenticators share one secret.
    """
    now = clock.now()
    secret = encrypt(TOTP_SECRET, purpose="second factor")
    sample.codes["totp"] = TOTP(TOTP_SECRET).at(int(now.timestamp()))
    for role in reversed(ROLES):
        user = sample.callers[role].user if role in sample.callers else None
        if user is None:
            continue
        open_session(user, now=now)
        opened = Session.objects.filter(user=user).latest("created_at", "pk")
        sample.ids[f"own session of {role}"] = sample.ids["own session"] = str(opened.pk)
        for name, confirmed_at in (("second factor", now), ("new second factor", None)):
            made = SecondFactor.objects.create(user=user, secret=secret, confirmed_at=confirmed_at)
            sample.ids[f"{name} of {role}"] = sample.ids[name] = str(made.pk)
    other = User.objects.create(
        email="d@example.com", email_key="d@example.com", name="D", role="admin", password=colleague.password
    )
    SecondFactor.objects.create(user=other, secret=secret, confirmed_at=now)
    for name, user in (("challenge", other), ("enrolment challenge", colleague)):
        user.refresh_from_db()
        sample.codes[name] = second_step_challenge(user, now=now)
    _add_passkey(sample, other)


def _add_identity_provider(sample: SampleHost) -> None:
    """Add an identity provider whose metadata are known, and a code with which a user comes back from it."""
    body = {
        "issuer": examples.ISSUER,
        "client_id": "tatami",
        "client_secret": "x",
        "email_domains": ["example.com"],
    }
    ok(sample.callers["admin"].put("/identity-provider", body))
    at = examples.ISSUER
    remember(ProviderMetadata(at, f"{at}/authorize", f"{at}/token", f"{at}/keys"))
    with sample.scope_context():
        user = User.objects.get(pk=sample.ids["user"])
        challenge = encode(hashlib.sha256(examples.CODE_VERIFIER.encode()).digest())
        sample.codes["identity code"] = issue_code(user, code_challenge=challenge, now=clock.now())


def _add_passkey(sample: SampleHost, user: User) -> None:
    """Add a passkey of a user, and what it signs for a sign-in."""
    now, where = clock.now(), partial(Proof, host=sample.host, address="")
    authenticator = Authenticator(f"http://{sample.host}:{settings.TATAMI_PUBLIC_PORT}")
    begun = second_factors.enrol(user=user, name="", kind="passkey", host=sample.host)
    made = authenticator.create(begun.options or {})
    second_factors.confirm(factor=begun.factor, proof=where(passkey=made), now=now)
    asked = second_step.request_passkey(host=sample.host, now=now)
    sample.codes["passkey challenge"] = asked.challenge
    sample.passkey = authenticator.get(asked.options)


def _add_webhook(sample: SampleHost) -> None:
    admin = sample.callers["admin"]
    body = {"url": "https://hooks.example.com/tatami", "events": ["*"], "description": "Accounting"}
    sample.ids["webhook"] = ok(admin.post("/webhooks", body), 201)["id"]
    sent = ok(admin.post(f"/webhooks/{sample.ids['webhook']}/test"), 202)
    sample.ids["webhook delivery"] = sent["id"]


def _add_api_keys(sample: SampleHost) -> None:
    """Add an API key for each role of staff, and a read-only one. All have been used."""
    keys = {f"{KEY} of {role}": {"role": role} for role in ROLES[:3] if role in sample.callers}
    keys[READ_ONLY_KEY] = {"role": "admin", "read_only": True}
    for name, fields in keys.items():
        made = ok(sample.callers["admin"].post("/api-keys", {"name": name, **fields}), 201)
        sample.callers[name] = Caller(sample.host, token=made["key"])
        ok(sample.callers[name].get("/me"))
        sample.ids[KEY] = made["id"]


def password_hash() -> str:
    """Return the hash of the password that all users share. Call it once: hashing is slow on purpose."""
    return make_password(PASSWORD)
