"""All dojos at once: which version each has, bringing those behind up to date, checking them. docs/decisions/0014."""
