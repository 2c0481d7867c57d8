"""Cloud Storage's JSON API, and what signed and public URLs reach of its XML API, over the buckets and objects of storage.py."""
from . import buckets, objects, uploads  # noqa: F401  (so that their methods are known)
