"""The network, how it is decoded, and its file. No training."""
