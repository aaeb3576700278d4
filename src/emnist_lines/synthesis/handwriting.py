"""What lines in the proportions of handwriting have in common, whether glyphs or people's strokes make them up."""

SIDE = 4
"""Columns of paper on each side of a line."""
INKED = 102
"""Grey level, of 255, from which on a pixel is ink where strokes are counted: two fifths."""
PENS = (1.5, 3.2)
"""Rows that a pen may take."""
WIDENED = (0.8, 2.5)
"""Times as many columns as rows that a pen takes: as its line is stretched, within these."""
JITTER = (0.8, 1.3)
"""Times as wide as its strokes ask for that a train line is."""
