"""What `craftc migrate` does to a spec of an older version of the language: one migration from each to the next.

There is one version of the language so far, and so no migration. The next is a module here whose `Migration` stands
at the end of `MIGRATIONS`, together with the new number in `compiler/versions/version.py` and in `schemas/spec.py`.
"""

from craftc.compiler.versions.migration import Migration

MIGRATIONS: tuple[Migration, ...] = ()
"""In order; each begins where the one before it ends, and the last ends at the version that this craftc reads."""
