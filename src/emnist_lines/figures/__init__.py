"""Pictures of lines for people."""
