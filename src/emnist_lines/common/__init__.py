"""What all packages share: the alphabet, files, errors, glyphs."""
