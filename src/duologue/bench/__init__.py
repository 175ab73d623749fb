"""What the library costs: figures measured beside a bare loop, in the same run."""
