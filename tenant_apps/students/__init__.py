"""The students of a dojo: their guardians, holds, notes, facts and rank histories."""
