"""A statistical language model: how likely each next character of a line of English is."""
