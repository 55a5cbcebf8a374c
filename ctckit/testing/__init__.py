"""For whoever writes a decoder: oracles, hypothesis strategies and a conformance suite.

`ctckit.testing.oracles` needs numpy alone, `ctckit.testing.conformance` nothing beside ctckit,
`ctckit.testing.strategies` needs hypothesis (``pip install ctckit[testing]``).
"""
