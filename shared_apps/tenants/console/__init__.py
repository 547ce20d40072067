"""The console's pages about tenants, for superadmins."""
