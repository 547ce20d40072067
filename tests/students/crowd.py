"""A file as large as a big dojo's: 5,000 lines, every 25th of them faulty in a way of its own."""

from tests.students.uploads import table

LINES = 5_000
EVERY = 25
FAULTS = (
    ("email", "not an address"),
    ("birth_date", "31.12.2010"),
    ("first_name", ""),
    ("status", "on_hold"),
    ("rank", "purple sash"),
    ("external_id", "M-1"),
    ("guardian_1_email", "nobody@"),
    ("opening_attendance", "many"),
)


def crowd(lines: int = LINES, system: str = "", rank: str = "") -> tuple[str, dict[int, str]]:
    """Return the file, and by line number the column that is at fault there."""
    rows, faulty = [], {}
    for number in range(1, lines + 1):
        row = {
            "external_id": f"M-{number}",
            "first_name": f"Mika {number}",
            "last_name": "Sato",
            "email": f"mika{number}@example.com",
            "phone": f"+49 30 {number}",
            "birth_date": f"{1960 + number % 55}-{number % 12 + 1:02}-{number % 28 + 1:02}",
            "gender": "f",
            "status": "active",
            "joined_on": "2024-04-01",
            "medical_notes": "asthma" if number % 40 == 0 else "",
            "guardian_1_name": f"Hana {number // 2}",  # each answers for two
            "guardian_1_email": f"hana{number // 2}@example.com",
            "guardian_1_relation": "mother",
            "guardian_2_name": f"Jun {number}",
            "guardian_2_phone": f"030 {number}",
            "rank_system": system,
            "rank": rank,
            "rank_on": "2025-04-01" if rank else "",
            "opening_attendance": str(number % 200),
        }
        if number % EVERY == 0:
            column, text = FAULTS[number // EVERY % len(FAULTS)]
            row[column] = text
            faulty[number + 1] = column
        rows.append(row)
    return table(*rows), faulty
