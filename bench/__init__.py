"""The bench: each workload of the pipeline beside the limit of this machine."""
