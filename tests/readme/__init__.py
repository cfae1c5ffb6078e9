"""The README is part of the product: what it names is there, what it shows works."""
