"""What a trainer says of itself, told by a process of its own.

Importing somebody's trainer may do anything: print, take its time, end the process, or fail. The
driver reads a spec without doing any of that itself.

The process is given two descriptors. On the one it reads requests, on the other it answers, a line
of JSON each. The first request is {"trainer": name, "folders": [...]}, answered by a description:
{"uses": [...] or null, "keys": of its options or null, "metrics": {...}, "code": a
`sweep_plugins.source.Code`, or null, "uncounted": see `_uncounted`, "imported": see `_imported`}.
Each later one is
{"options": {...}}, answered by {"options": {...}} as the trainer's model writes them, or
{"errors": [{"type", "loc", "msg"}, ...]}. An answer {"problem": sentence} ends the conversation.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from importlib.abc import MetaPathFinder

# By their own names, as a trainer's code may put others into the module.
from json import dumps, loads
from pathlib import Path
from typing import Any, Literal

from typing_extensions import override

from sweep_plugins.source import Code
from trainers.own.declaration import Declaration, declaration_of


def main() -> None:
    """Answer until the requests end."""
    requests, answers = (int(number) for number in sys.argv[1:3])
    # Not for what the trainer starts, which may live longer than this process.
    for number in (requests, answers):
        os.set_inheritable(number, False)
    # Else an edit within the same second would not be seen.
    sys.dont_write_bytecode = True
    process = os.getpid()
    with os.fdopen(requests, encoding="utf-8") as asked, os.fdopen(answers, "w") as told:

        def answer(said: dict[str, Any]) -> None:
            if os.getpid() != process:
                os._exit(0)  # the trainer has forked this process
            told.write(dumps(said, allow_nan=False) + "\n")
            told.flush()

        resolve: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        for line in asked:
            request = loads(line)
            if resolve is None:
                try:
                    said, description = _describe(request["trainer"], request["folders"])
                except ValueError as error:
                    answer({"problem": str(error)})
                    return
                resolve = _resolver(said)
                answer(description)
            else:
                answer(resolve(request["options"]))


class _NotFound(MetaPathFinder):
    """Finds nothing, and notes what nobody else has found either."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    @override
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        self.names.add(fullname.partition(".")[0])


def _describe(name: str, folders: list[str]) -> tuple[Declaration, dict[str, Any]]:
    """Raises ValueError with a sentence about what is wrong with the trainer."""
    from trainers.errors import TrainerError
    from trainers.own.code import code_of_trainer
    from trainers.own.loading import load_trainer

    # Last, so that no file there stands in for a module of Python or of a package.
    sys.path += [folder for folder in folders if folder not in sys.path]
    before = frozenset(sys.modules)
    missing = _NotFound()
    sys.meta_path.append(missing)
    try:
        function = load_trainer(name)
        said = declaration_of(function)
        code = code_of_trainer(name, function)
        keys = None if said.options is None else sorted(_fields(name, said.options))
    except TrainerError as error:
        raise ValueError(f"{error}{_looked_for(name, error.__cause__, folders)}") from error
    return said, {
        "uses": None if said.uses is None else sorted(said.uses),
        "keys": keys,
        "metrics": said.metrics_as_json(),
        "code": None if code is None else _as_plain_data(code),
        "uncounted": [] if code is None else _uncounted(code, before),
        "imported": _imported(code, missing.names),
    }


def _looked_for(name: str, cause: BaseException | None, folders: list[str]) -> str:
    """Where the trainer's own module was looked for, if that is what is missing."""
    module = name.partition(":")[0]
    if not isinstance(cause, ModuleNotFoundError) or not f"{module}.".startswith(f"{cause.name}."):
        return ""
    return f"; it was looked for in {', '.join(folders)}, and where Python finds its packages"


def _as_plain_data(code: Code) -> dict[str, Any]:
    return {"sha256": code.sha256, "files": dict(code.files), "home": str(code.home)}


def _own_modules() -> Iterator[tuple[str, str]]:
    """Name and file of each module that was imported and may be edited while a driver lives."""
    from sweep_plugins.module_files import OWN_PACKAGES, is_installed

    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        ours = name.partition(".")[0] in OWN_PACKAGES
        # Some only say that they have a file, as torch._ops does.
        if isinstance(file, str) and not (ours or is_installed(file)) and os.path.isfile(file):
            yield name, file


def _uncounted(code: Code, before: frozenset[str]) -> list[str]:
    """Files that the trainer has imported and that do not count as its code.

    Of packages of which nothing counts, their folders.
    """
    counted = {os.path.realpath(path) for path in code.paths.values()}
    found = set()
    for name, file in _own_modules():
        if name in before or os.path.realpath(file) in counted:
            continue
        top = getattr(sys.modules.get(name.partition(".")[0]), "__file__", None) or file
        folder = os.path.join(os.path.realpath(os.path.dirname(top)), "")
        is_package = os.path.basename(top).startswith("__init__.")
        whole = is_package and not any(path.startswith(folder) for path in counted)
        found.add(folder if whole else file)
    return sorted(found)


def _imported(code: Code | None, missing: set[str]) -> dict[str, Any]:
    """What the description follows from, as far as it may change while a driver lives.

    {"files": {path: SHA-256}, "folders": {path: what of it counts}, "beside": {path: names of the
    modules there}, "names": of top modules whose files are among these, or which were looked for
    and not found}.
    """
    from sweep_plugins.source import sha256_of

    files = {} if code is None else {str(code.paths[name]): of for name, of in code.files.items()}
    folders = {} if code is None else {str(path): what for path, what in code.folders.items()}
    beside = {} if code is None else {str(path): sorted(of) for path, of in code.beside.items()}
    names = set(missing)
    for name, file in _own_modules():
        if file not in files:
            files[file] = sha256_of(Path(file))
        names.add(name.partition(".")[0])
    if code is not None:
        names |= {re.split(r"[./]", name)[0] for name in code.files}
    return {
        "files": files,
        "folders": folders,
        "beside": beside,
        "names": sorted(names - {"__main__", ""}),
    }


def _fields(trainer: str, options: Any) -> list[str]:
    from pydantic import BaseModel

    from trainers.errors import TrainerError

    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise TrainerError(
            f"the options of trainer {trainer!r} are {_called(options)}: derive their class from"
            " pydantic.BaseModel, as class Options(pydantic.BaseModel)"
        )
    return [field.alias or name for name, field in options.model_fields.items()]


def _called(options: Any) -> str:
    if not isinstance(options, type):
        return f"no class: {options!r:.80}"
    kind = "dataclass" if is_dataclass(options) else "class"
    return f"the {kind} {options.__module__}.{options.__qualname__}"


def _resolver(said: Declaration) -> Callable[[dict[str, Any]], dict[str, Any]]:
    model = said.options
    if model is None:
        return lambda given: {"options": given}
    from pydantic import ValidationError

    # Pydantic's own default ignores unknown keys, by which a misspelt one says nothing.
    extra: Literal["forbid"] | None = None if "extra" in model.model_config else "forbid"

    def written(given: dict[str, Any]) -> Any:
        options = model.model_validate(given, extra=extra)
        return loads(
            dumps(
                options.model_dump(
                    mode="json", by_alias=True, exclude_computed_fields=True, warnings=False
                ),
                allow_nan=False,
            )
        )

    def resolve(given: dict[str, Any]) -> dict[str, Any]:
        try:
            plain = written(given)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            return _errors(*((item["type"], item["loc"], item["msg"]) for item in found))
        except (TypeError, ValueError, RecursionError) as error:
            return _errors(("no_json", (), f"they have no JSON form ({_text(error)})"))
        except Exception as error:  # a validator of theirs may raise anything
            return _errors(("raised", (), _text(error)))
        # Each run reads what is written here, which has to be the same options again.
        try:
            for source in (given, plain):
                if (again := written(source)) != plain:
                    return _errors(("changing", (), f"{_difference(plain, again)} {_CHANGING}"))
        except Exception as error:
            return _errors(("changing", (), f"its defaults cannot be read: {_text(error)}"))
        return {"options": plain}

    return resolve


_CHANGING = (
    "when they are read a second time, as each run does: defaults and validators of the trainer's"
    " model have to leave as they are what the model itself has written"
)


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *after):
            if key not in after or key not in before or before[key] != after[key]:
                return f"{key} changes from {before.get(key)!r:.40} to {after.get(key)!r:.40}"
    return "they change"


def _text(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _errors(*found: tuple[str, tuple[Any, ...], str]) -> dict[str, Any]:
    return {"errors": [{"type": kind, "loc": list(at), "msg": said} for kind, at, said in found]}


if __name__ == "__main__":
    main()
