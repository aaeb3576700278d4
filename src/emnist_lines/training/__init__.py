"""What the stage `train` does."""
