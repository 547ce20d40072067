"""What a dojo decides for itself: its settings."""
