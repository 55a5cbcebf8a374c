"""The harness that scores decoders on the same matrices."""
