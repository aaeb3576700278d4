"""The file of lines, and batches of its lines: what synthesis, training and evaluation share."""
