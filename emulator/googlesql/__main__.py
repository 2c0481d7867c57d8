"""`python -m emulator.googlesql [cache folder]`: prepare the analyzer's cache."""
import sys
from pathlib import Path

from .engine import default_cache_dir, prepare_cache

prepare_cache(Path(sys.argv[1]) if len(sys.argv) > 1 else default_cache_dir(), lambda text: print(text, flush=True))
