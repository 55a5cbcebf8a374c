"""The decoder `template` passes the suite that every decoder of ctckit passes."""

import pytest
from ctckit_template import template

from ctckit.testing.conformance import DecoderConformance


class TestConformance(DecoderConformance):
    @pytest.fixture
    def decoder(self):
        return template
