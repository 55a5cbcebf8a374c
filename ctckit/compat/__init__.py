"""Other libraries' names over ctckit's decoders: a user of theirs changes one import.

A module each, named as the library whose calls it takes:

- ``ctckit.compat.pyctcdecode``: ``build_ctcdecoder`` and ``BeamSearchDecoderCTC``
- ``ctckit.compat.tensorflow``: the CTC decoders of ``tf.nn``
- ``ctckit.compat.keras``: ``ctc_decode`` of ``keras.ops`` and of the older ``keras.backend``
- ``ctckit.compat.fast_ctc_decode``: ``viterbi_search`` and ``beam_search``
- ``ctckit.compat.ctcdecode``: ``CTCBeamDecoder`` and ``OnlineCTCBeamDecoder``
- ``ctckit.compat.word_beam_search``: ``WordBeamSearch``
- ``ctckit.compat.torchaudio``: ``ctc_decoder`` and what it makes

Each module's docstring lists what it does differently on purpose.
Nothing is imported here, and a shim imports its library only where it must.
"""
