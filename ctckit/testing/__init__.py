"""For whoever writes a decoder: oracles, hypothesis strategies and a conformance suite.

`ctckit.testing.oracles` needs numpy alone. The checks, `ctckit.testing.strategies` and
`ctckit.testing.conformance` need the extra: ``pip install 'ctckit[testing]'``.
"""
