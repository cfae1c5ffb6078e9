"""Hypothesis profiles: HYPOTHESIS_PROFILE=thorough runs 50 times as many examples.

With `mutation`, the same few examples are run against each change of the code.
"""

import os

from hypothesis import settings

# No deadlines, because the machine may be busy.
settings.register_profile("unit", deadline=None, max_examples=60)
settings.register_profile("thorough", deadline=None, max_examples=3000)
settings.register_profile("mutation", deadline=None, max_examples=20, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "unit"))
