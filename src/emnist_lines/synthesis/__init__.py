"""What the stage `synthesize` does: lines of text composed from single characters."""
