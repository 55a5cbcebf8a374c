"""The defaults of pyctcdecode 0.5.0, under its names."""

import math

DEFAULT_ALPHA = 0.5
DEFAULT_BETA = 1.5
DEFAULT_UNK_LOGP_OFFSET = -10.0
DEFAULT_BEAM_WIDTH = 100
DEFAULT_HOTWORD_WEIGHT = 10.0
DEFAULT_PRUNE_LOGP = -10.0
DEFAULT_PRUNE_BEAMS = False
DEFAULT_MIN_TOKEN_LOGP = -5.0
DEFAULT_SCORE_LM_BOUNDARY = True

AVG_TOKEN_LEN = 6
"""Characters beyond which a word in the making costs more in `LanguageModel.score_partial_token`;
the search does not use it."""
MIN_TOKEN_CLIP_P = 1e-15
"""Not used: what is impossible stays impossible."""
LOG_BASE_CHANGE_FACTOR = math.log(10.0)
"""From the log10 of ARPA files to natural logarithms."""
