"""Who may sign in, and as what. Lives in `public` (superadmins) and in every dojo's schema (its people)."""
