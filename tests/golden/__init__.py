"""What the references made of our phantoms, as digests: see `tests.golden.make`."""
