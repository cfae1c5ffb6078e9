"""How thoroughly properties are tried: HYPOTHESIS_PROFILE=thorough for a night's worth."""

import os

from hypothesis import settings

# No deadlines: the machine may be busy.
settings.register_profile("unit", deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
