"""Users, sign-in and the audit log. The tables exist in `public` (superadmins) and in every tenant's schema."""
