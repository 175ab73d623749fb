"""The probes, by what they are about; ``duologue.verify.catalogue`` lists them all."""
