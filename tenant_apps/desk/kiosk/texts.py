"""The texts that the scripts of the kiosk show, in the language of the dojo. `{places}` are filled by the scripts."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

TEXTS: Final[Mapping[str, Promise]] = {
    "already_at": gettext_lazy("Already checked in at {time}: {session}"),
    "any_session": gettext_lazy("Every class that is open"),
    "camera_busy": gettext_lazy(
        "The camera is used by another program. Close it, then open this page again."
    ),
    "camera_denied": gettext_lazy(
        "This page may not use the camera. Allow it in the settings of the browser."
    ),
    "camera_insecure": gettext_lazy("The camera needs an address that begins with https."),
    "camera_no_reader": gettext_lazy(
        "This browser cannot read codes from the camera. Use a scanner that types."
    ),
    "camera_none": gettext_lazy("There is no camera. Use a scanner that types, or connect a camera."),
    "checking": gettext_lazy("One moment …"),
    "code_missing": gettext_lazy("Enter the pairing code that the desk shows."),
    "late": gettext_lazy("Late"),
    "no_session": gettext_lazy("No class is left today."),
    "not_paired_any_more": gettext_lazy(
        "This kiosk is not paired any more. Add it again at the desk. Check-ins that wait are kept, and sent then."
    ),
    "offline": gettext_lazy("No connection"),
    "online": gettext_lazy("All sent"),
    "pair_again": gettext_lazy("Add a device at the desk and enter its code here, with a new PIN."),
    "pair_away": gettext_lazy("The dojo cannot be reached. Check the network and try again."),
    "pin_differs": gettext_lazy("The two PINs differ."),
    "pin_shape": gettext_lazy("Choose 4 to 8 digits."),
    "pin_wait": gettext_lazy("Too many wrong PINs. Wait half a minute."),
    "pin_wrong": gettext_lazy("This PIN is wrong."),
    "refused": gettext_lazy("This did not work"),
    "refused_later": gettext_lazy("Refused when they were sent: {n}"),
    "show_code": gettext_lazy("Show your code"),
    "show_code_how": gettext_lazy("Hold your phone or card before the camera, or use the scanner."),
    "storage_failed": gettext_lazy("The browser could not keep this check-in. Please tell the desk."),
    "storage_full": gettext_lazy("This device has no room left. Please tell the desk."),
    "stored": gettext_lazy("Noted, not sent yet"),
    "stored_how": gettext_lazy(
        "Noted at {time}. There is no connection; it is sent as soon as there is one."
    ),
    "stored_short": gettext_lazy("Not sent yet"),
    "waiting_many": gettext_lazy("{n} not sent yet"),
    "waiting_one": gettext_lazy("1 not sent yet"),
    "wall_away": gettext_lazy(
        "No connection: a new code comes when there is one. Show your own code at the kiosk."
    ),
    "wall_how": gettext_lazy("Scan this with your phone to check in."),
    "which_session": gettext_lazy("Which class?"),
}

REFUSALS: Final[Mapping[str, tuple[Promise, Promise]]] = {
    "below_min_rank": (
        gettext_lazy("Not your class yet"),
        gettext_lazy("This class needs a higher rank. Please ask the instructor."),
    ),
    "class_session_not_found": (
        gettext_lazy("This class is gone"),
        gettext_lazy("The class that this kiosk is set to does not exist any more. Please tell the desk."),
    ),
    "clock_unreliable": (
        gettext_lazy("The clock is wrong"),
        gettext_lazy("The clock of this device is wrong. Please tell the desk."),
    ),
    "no_open_session": (
        gettext_lazy("No class is open"),
        gettext_lazy("Check-in is open shortly before a class begins."),
    ),
    "not_enrolled": (
        gettext_lazy("Not enrolled"),
        gettext_lazy("You are not enrolled in this class. Please ask the desk."),
    ),
    "outside_check_in_window": (
        gettext_lazy("Check-in is closed"),
        gettext_lazy("It is too early or too late for this class. Please ask the instructor."),
    ),
    "qr_expired": (
        gettext_lazy("This code is too old"),
        gettext_lazy("Open your page again and show a fresh code."),
    ),
    "qr_invalid": (
        gettext_lazy("This is not a code of this dojo"),
        gettext_lazy("Show the code of your page, or your card."),
    ),
    "qr_revoked": (
        gettext_lazy("This card is not valid any more"),
        gettext_lazy("It was replaced or reported lost. Please ask the desk."),
    ),
    "session_cancelled": (
        gettext_lazy("This class is cancelled"),
        gettext_lazy("It does not take place today."),
    ),
    "session_code": (
        gettext_lazy("This is the code of a class"),
        gettext_lazy("Scan it with your own phone. Here, show your own code."),
    ),
    "session_full": (
        gettext_lazy("This class is full"),
        gettext_lazy("All places are taken. Please ask the instructor."),
    ),
    "student_inactive": (
        gettext_lazy("Please see the desk"),
        gettext_lazy("Your membership needs attention before you can check in."),
    ),
    # pairing: only the second text is shown
    "already_paired": (
        gettext_lazy("Already paired"),
        gettext_lazy("Another device was paired with this code. Add this one at the desk for a new code."),
    ),
    "device_revoked": (
        gettext_lazy("Removed"),
        gettext_lazy("This device was removed. Add it again at the desk for a new code."),
    ),
    "pairing_code_expired": (
        gettext_lazy("Expired"),
        gettext_lazy("This code is older than ten minutes. Add the device again at the desk for a new one."),
    ),
    "pairing_code_invalid": (
        gettext_lazy("Unknown"),
        gettext_lazy("There is no such code. Compare it with the one at the desk."),
    ),
}

ALERTS: Final[Mapping[str, Promise]] = {
    "birthday": gettext_lazy("Happy birthday!"),
    "promotion_due": gettext_lazy("Ask your instructor about your next rank."),
}
