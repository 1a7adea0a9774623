"""What code imports of what lies beside it, as its text says, whether or not it was imported yet.

So it depends on the files and on where Python looks for them: not on what a process has imported of
them, nor on which way it went.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from sweep_plugins.module_files import (
    OWN_PACKAGES,
    ModuleFiles,
    files_beside,
    is_installed,
    names_in,
)


def with_local_imports(
    module: ModuleFiles,
) -> tuple[list[ModuleFiles], Mapping[Path, frozenset[str]]]:
    """The module, and whatever it imports from the folder that it lies in; and what is there.

    That is, the names of all that could be imported from that folder. Of modules that were
    installed nothing counts but they: what lies beside them was installed by others.
    """
    roots = tuple(root for root in module.roots if not is_installed(root))
    there = {root: names_in(root) for root in roots}
    found = {module.name: module}
    waiting = [module]
    for each in waiting:
        others = frozenset().union(*there.values()) - found.keys() - OWN_PACKAGES
        for name in sorted(_names(each, others)):
            beside = files_beside(name, roots)
            if beside is not None and beside.name not in found:
                found[beside.name] = beside
                waiting.append(beside)
    return waiting, there


def _names(module: ModuleFiles, others: frozenset[str]) -> set[str]:
    """All that the module's sources import which may be among the others."""
    found: set[str] = set()
    # By a relative import, what shares a folder of packages names others without saying that.
    shared = "." in module.name
    mentions = re.compile(rb"\b(?:%s)\b" % b"|".join(sorted(map(str.encode, others))))

    def may_import(content: bytes) -> bool:
        # A name with other letters may be written in several ways, and in any encoding.
        return shared or not content.isascii() or mentions.search(content) is not None

    for name, path in module.files.items():
        if path.suffix != ".py" or not (others or shared):
            continue
        try:
            content = path.read_bytes()
        except OSError:
            continue  # whoever hashes it says so
        if may_import(content):
            imported = _imported(content, tuple(name.split("/")[:-1]))
            found |= {each for each in imported if shared or each.partition(".")[0] in others}
    return found


def _imported(content: bytes, package: tuple[str, ...]) -> Iterator[str]:
    """Absolute names; of what cannot be parsed, and so not imported, none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level <= len(package):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            within = [*base, *(node.module.split(".") if node.module else ())]
            yield from (".".join([*within, alias.name]) for alias in node.names)
