"""Where single characters by hand come from, and the file that holds them."""
