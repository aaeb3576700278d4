"""What the stage `evaluate` does: how well lines are read, and which errors remain."""
