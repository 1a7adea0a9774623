"""Where `sweep` starts, before anything is imported that a foreign file could stand in for.

Python looks for modules on PYTHONPATH before it looks among its own and the installed ones. With a
`random.py` or a `results/` there, everything would import that instead. Only what Python itself has
imported by now is used here.
"""

import os
import sys

PACKAGES = {"sweeper", "trainers", "results", "sweep_plugins"}

# Python's own tests: no program imports them, and many projects have a folder of that name.
_NEVER_IMPORTED = {"test"}


def find_own_modules_first() -> None:
    """Look for modules of Python and of this project where they are installed, and there first.

    Here and in the Python processes that this one starts. Nothing changes unless a folder that is
    searched earlier has a module of such a name.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    library = os.path.dirname(os.__file__)
    _leave_out_the_current_folder()
    hidden = _before(library, sys.stdlib_module_names - _NEVER_IMPORTED)
    foreign = _before(here, PACKAGES)
    for file in hidden.values():
        _refuse_if_imported(file)
    if not hidden and not foreign:
        return
    first = [library, os.path.join(library, "lib-dynload")]
    if foreign:
        first.append(here)
    sys.path[:] = [*first, *(folder for folder in sys.path if folder not in first)]
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([*first, *([inherited] if inherited else [])])


def _leave_out_the_current_folder() -> None:
    """Unless PYTHONPATH names it.

    `PYTHONPATH=$PYTHONPATH:/lib`, where the variable was not set, has an empty entry, which Python
    takes for the current folder: a `numpy/` there would be imported in place of the installed one.
    """
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if "" not in named or named == [""]:
        return
    named = [folder for folder in named if folder]
    os.environ["PYTHONPATH"] = os.pathsep.join(named)
    try:
        here = os.getcwd()
    except OSError:  # it has been removed
        return
    if here not in map(os.path.abspath, named) and here in sys.path:
        sys.path.remove(here)


def _before(folder: str, names: set[str] | frozenset[str]) -> dict[str, str]:
    """Modules of these names that are found before any in the folder, with their files."""
    end = sys.path.index(folder) if folder in sys.path else len(sys.path)
    found: dict[str, str] = {}
    for earlier in sys.path[:end]:
        try:
            entries = list(os.scandir(earlier))
        except OSError:  # it need not exist, and may be a zip file
            continue
        for entry in entries:
            name = entry.name.partition(".")[0]
            importable = entry.name.endswith((".py", ".pyc", ".so")) or entry.is_dir()
            if name in names and importable:
                found.setdefault(name, entry.path)
    return found


def refuse_overwritten_files() -> None:
    """Exit if an installed file of this project is not the one that it was installed with.

    There is a project on PyPI that is called `results`: to install it into the same environment
    replaces files of ours. Sizes tell, and reading every file would take as long as all the rest of
    the start. Of a checkout nothing is recorded, and its files are found before any others.
    """
    here = os.path.dirname(os.path.abspath(__file__))
    for file, size in _recorded_sizes(here):
        try:
            found = os.stat(file).st_size
        except OSError:
            found = None
        if found != size:
            state = "is missing" if found is None else "has been replaced or edited"
            sys.stderr.write(
                f"error: {file} {state} since multistep-sweep was installed, perhaps by another"
                " project with a package of that name: install multistep-sweep again (pip install"
                " --force-reinstall --no-deps), in an environment without that project\n"
            )
            sys.exit(3)


def _recorded_sizes(here: str) -> list[tuple[str, int]]:
    """The modules of this project that were installed here, and their sizes in bytes."""
    records = [
        os.path.join(entry.path, "RECORD")
        for entry in os.scandir(here)
        if entry.name.startswith("multistep_sweep-") and entry.name.endswith(".dist-info")
    ]
    if len(records) != 1:  # of several, none is known to be this one's
        return []
    try:
        with open(records[0], encoding="utf-8", errors="replace") as record:
            lines = record.read().splitlines()
    except OSError:  # some installers leave it out
        return []
    sizes = []
    for line in lines:
        # No name of ours has a comma, which would be quoted.
        name, _, rest = line.partition(",")
        size = rest.rpartition(",")[2]
        if name.endswith(".py") and size.isdecimal():
            sizes.append((os.path.join(here, name), int(size)))
    return sizes


def _refuse_if_imported(file: str) -> None:
    """Exit if Python has taken this file for a module of its own already."""
    module = sys.modules.get(os.path.basename(file).partition(".")[0])
    origin = getattr(module, "__file__", None)
    if origin is not None and origin in (file, os.path.join(file, "__init__.py")):
        sys.stderr.write(
            f"error: Python has imported {file} in place of its own module of that name: rename it,"
            f" or take {os.path.dirname(file)} out of PYTHONPATH\n"
        )
        sys.exit(2)


def main() -> None:
    """Entry point of the console script."""
    find_own_modules_first()
    refuse_overwritten_files()
    try:
        from sweeper.program import main
    except KeyboardInterrupt:
        sys.exit(130)  # as from then on

    main()


if __name__ == "__main__":
    main()
