"""`python -m run`: check, prepare, then hand over to the supervisor."""

import os
import sys

from run.pipeline import Pipeline
from run.place import Place, PlaceError

try:
    place = Place.from_environment(os.environ)
    place.prepare()
except PlaceError as error:
    sys.exit(f"make run: {error}")
print(place.addresses(), flush=True)  # noqa: T201
sys.exit(Pipeline(place).run())
