"""Everything that holds the pipeline to its word."""
