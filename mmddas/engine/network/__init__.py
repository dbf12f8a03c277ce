"""Keep a network's state the same for all passes of a search step."""
