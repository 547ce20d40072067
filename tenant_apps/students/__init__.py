"""Who trains here: students, their guardians, notes, facts and rank history."""
