"""Other libraries' names over ctckit's decoders: a user of theirs changes one import.

A module each, named as the library whose calls it takes:

- ``ctckit.compat.pyctcdecode``: ``build_ctcdecoder`` and ``BeamSearchDecoderCTC``

Each module's docstring lists what it does differently on purpose.
Nothing is imported here, and a shim imports its library only where it must.
"""
