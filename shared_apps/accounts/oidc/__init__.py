"""Sign-in with an OpenID provider that a dojo chooses: its settings, its keys, and the way of a user through it."""
