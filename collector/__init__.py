"""HTTP in, outbox, publisher: a reading answered with 201 is on disk and will be stored."""
