"""The built-in decoders, and what a decoder is."""
