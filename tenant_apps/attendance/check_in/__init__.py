"""Check-in: from a scanned code to an attendance, or to the named reason why there is none.

A scan (`POST /attendance/scan`) passes nine files of this app, in this order:

1. `views/scans.py` receives the request and reads its body; what is unusual goes to `serializers.py`.
2. `check_in/service.py` runs the steps below, in one transaction.
3. `check_in/types.py` defines the data that the steps pass on.
4. `check_in/codes.py` verifies the scanned code.
5. `check_in/queries.py` loads the facts about the student and the session: two or three small SQL statements.
6. `check_in/rules.py` decides: record an attendance, or refuse.
7. `errors.py` names the reasons for a refusal.
8. `check_in/store.py` writes: nonces, attendances, refusals, stored responses.
9. `check_in/responses.py` builds the response.

`check_in/offline.py` is not part of a single scan: it uploads scans that a device took offline.
"""
