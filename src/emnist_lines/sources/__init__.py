"""What the stage `download` does: characters by hand, and text to write with them."""
