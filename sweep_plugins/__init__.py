"""Names that specs and commands use, and the packages that add to them by entry points.

Below `trainers` and `results`, which know nothing of each other and both have such names, as they
have URLs and text from elsewhere, of which `url_secrets` and `plain_text` take care, and the
coefficients of schemes (`schemes`).
"""

from sweep_plugins.errors import (
    PluginError,
    SourceError,
    UnknownNameError,
    did_you_mean,
    import_error,
    meaning,
    nearest,
    path_to,
)
from sweep_plugins.registry import Registry

__all__ = [
    "PluginError",
    "Registry",
    "SourceError",
    "UnknownNameError",
    "did_you_mean",
    "import_error",
    "meaning",
    "nearest",
    "path_to",
]
