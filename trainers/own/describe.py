"""What a trainer says of itself, told by a process of its own.

Importing somebody's trainer may do anything: print, take its time, end the process, or fail. The
driver reads a spec without doing any of that itself.

The process is given two descriptors. On the one it reads requests, on the other it answers, a line
of JSON each. The first request is {"trainer": name, "folders": [...]}, answered by a description:
{"uses": [...] or null, "keys": of its options or null, "metrics": {...}, "code": a
`sweep_plugins.source.Code`, or null}. Each later one is
{"options": {...}}, answered by {"options": {...}} as the trainer's model writes them, or
{"errors": [{"type", "loc", "msg"}, ...]}. An answer {"problem": sentence} ends the conversation.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal

from trainers.own.declaration import Declaration, declaration_of


def main() -> None:
    """Answer until the requests end."""
    requests, answers = (int(number) for number in sys.argv[1:3])
    with os.fdopen(requests, encoding="utf-8") as asked, os.fdopen(answers, "w") as told:

        def answer(said: dict[str, Any]) -> None:
            told.write(json.dumps(said, allow_nan=False) + "\n")
            told.flush()

        resolve: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        for line in asked:
            request = json.loads(line)
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


def _describe(name: str, folders: list[str]) -> tuple[Declaration, dict[str, Any]]:
    """Raises ValueError with a sentence about what is wrong with the trainer."""
    from trainers.errors import TrainerError
    from trainers.own.code import code_of_trainer
    from trainers.own.loading import load_trainer

    # Last, so that no file there stands in for a module of Python or of a package.
    sys.path += [folder for folder in folders if folder not in sys.path]
    try:
        function = load_trainer(name)
        said = declaration_of(function)
        code = code_of_trainer(function)
        keys = None if said.options is None else sorted(_fields(said.options))
    except TrainerError as error:
        raise ValueError(str(error)) from error
    return said, {
        "uses": None if said.uses is None else sorted(said.uses),
        "keys": keys,
        "metrics": said.metrics_as_json(),
        "code": None if code is None else asdict(code) | {"home": str(code.home)},
    }


def _fields(options: Any) -> list[str]:
    from pydantic import BaseModel

    from trainers.errors import TrainerError

    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        raise TrainerError(
            f"its options are {options!r:.80}, and no subclass of pydantic.BaseModel"
        )
    return [field.alias or name for name, field in options.model_fields.items()]


def _resolver(said: Declaration) -> Callable[[dict[str, Any]], dict[str, Any]]:
    model = said.options
    if model is None:
        return lambda given: {"options": given}
    from pydantic import ValidationError

    # Pydantic's own default ignores unknown keys, by which a misspelt one says nothing.
    extra: Literal["forbid"] | None = None if "extra" in model.model_config else "forbid"

    def resolve(given: dict[str, Any]) -> dict[str, Any]:
        try:
            options = model.model_validate(given, extra=extra)
        except ValidationError as error:
            found = error.errors(include_url=False, include_context=False, include_input=False)
            return _errors(*((item["type"], item["loc"], item["msg"]) for item in found))
        except Exception as error:  # a validator of theirs may raise anything
            return _errors(("raised", (), f"{type(error).__name__}: {error}"))
        try:
            plain = options.model_dump(mode="json", by_alias=True)
            json.dumps(plain, allow_nan=False)
        except Exception as error:
            return _errors(("no_json", (), f"they have no JSON form ({error})"))
        return {"options": plain}

    return resolve


def _errors(*found: tuple[str, tuple[Any, ...], str]) -> dict[str, Any]:
    return {"errors": [{"type": kind, "loc": list(at), "msg": said} for kind, at, said in found]}


if __name__ == "__main__":
    main()
