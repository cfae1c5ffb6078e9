"""The documentation is part of the product: what it names exists, what it shows works."""
