"""Dead letters: messages that will not be stored, published with the reason."""
