"""The network: architecture and decoding only, no training."""
