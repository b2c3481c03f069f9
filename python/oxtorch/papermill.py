"""Parameters for Rust notebooks that papermill runs.

papermill writes a cell with the parameters' values behind the one tagged `parameters`; how a value is written in Rust
stands here. Numbers become `i64` and `f64`, text `&str`, lists `Vec`, dictionaries `HashMap<&str, _>`.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Any


def __getattr__(name: str) -> Any:
    # papermill loads the engine `Engine` when it is imported, and with it this module; it is papermill's usual one.
    # Ahead of all imports, because papermill asks for it also where it is this module that imports papermill.
    if name == "Engine":
        from papermill.engines import NBClientEngine

        return NBClientEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


from papermill.exceptions import PapermillException  # noqa: E402
from papermill.models import Parameter  # noqa: E402
from papermill.translators import PapermillTranslators, Translator, papermill_translators  # noqa: E402

# Keywords that may be names with `r#` ahead of them.
KEYWORDS = frozenset(
    "abstract as async await become box break const continue do dyn else enum extern false final fn for gen if impl in "
    "let loop macro match mod move mut override priv pub ref return static struct trait true try type typeof unsafe "
    "unsized use virtual where while yield".split()
)
# Names that cannot be.
RESERVED = frozenset(["_", "crate", "self", "Self", "super"])

ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}
# Control and format characters, those that change the direction of text among them, separators of lines.
INVISIBLE = frozenset(["Cc", "Cf", "Zl", "Zp"])

# The integer types that a value is tried in. Whole numbers of `tch` are of the first.
INTEGERS = (
    ("i64", -(2**63), 2**63 - 1),
    ("u64", 0, 2**64 - 1),
    ("i128", -(2**127), 2**127 - 1),
    ("u128", 0, 2**128 - 1),
)

ASSIGNMENT = re.compile(
    r"^let\s+(?:mut\s+)?(?:r#)?(?P<name>\w+)\s*(?::\s*(?P<type>[^=;]+?))?\s*=\s*(?P<value>.+?);\s*(?://\s*(?P<help>.*))?$"
)


class Untranslatable(PapermillException):
    """A parameter that has no counterpart in Rust."""


class RustTranslator(Translator):
    """Writes parameters as Rust."""

    @classmethod
    def translate(cls, val: Any) -> str:
        """A value as a Rust expression."""
        return _expression(val, _type(val))

    @classmethod
    def comment(cls, cmt_str: str) -> str:
        """A line of comment."""
        return "// " + " ".join(cmt_str.splitlines())

    @classmethod
    def assign(cls, name: str, str_val: str) -> str:
        """A variable with the value of an expression."""
        return f"let {_identifier(name)} = {str_val};"

    @classmethod
    def codify(cls, parameters: dict[str, Any], comment: str = "Parameters") -> str:
        """The text of the cell that sets the parameters."""
        lines = [cls.comment(comment)]
        for name, value in parameters.items():
            try:
                kind = _type(value)
                lines.append(f"let {_identifier(name)}: {kind} = {_expression(value, kind)};")
            except Untranslatable as error:
                raise Untranslatable(f"parameter `{name}` cannot be written in Rust: {error}") from None
        return "\n".join(lines) + "\n"

    @classmethod
    def inspect(cls, parameters_cell: dict[str, Any]) -> list[Parameter]:
        """The parameters that a cell declares, each with a `let` of its own line."""
        matches = (ASSIGNMENT.match(line.strip()) for line in parameters_cell["source"].splitlines())
        return [
            Parameter(
                name=match["name"],
                inferred_type_name=match["type"] or "None",
                default=match["value"],
                help=match["help"] or "",
            )
            for match in matches
            if match
        ]


def _identifier(name: str) -> str:
    if not name.isidentifier() or name in RESERVED:
        raise Untranslatable(f"`{name}` is not a name for a variable in Rust")
    return f"r#{name}" if name in KEYWORDS else name


def _type(value: Any) -> str:
    """The Rust type that a value becomes."""
    if value is None:
        return "Option<()>"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return _integer_type([value])
    if isinstance(value, float):
        return "f64"
    if isinstance(value, str):
        return "&str"
    if isinstance(value, (list, tuple)):
        return f"Vec<{_common_type(list(value))}>"
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise Untranslatable(f"the key {key!r} is not text")
        return f"std::collections::HashMap<&str, {_common_type(list(value.values()))}>"
    raise Untranslatable(f"a value of type `{type(value).__name__}` has no counterpart")


def _integer_type(values: list[int]) -> str:
    for name, least, greatest in INTEGERS:
        if least <= min(values) and max(values) <= greatest:
            return name
    raise Untranslatable("an integer of more than 128 bits has no counterpart; pass it as text")


def _common_type(values: list[Any]) -> str:
    """The one type that all elements have. Whole numbers beside fractions are `f64`; `None` makes it an `Option`."""
    there = [value for value in values if value is not None]
    if not there:
        return "Option<()>" if values else "()"
    if all(isinstance(value, (list, tuple)) for value in there):
        kind = f"Vec<{_common_type([element for value in there for element in value])}>"
    elif all(isinstance(value, dict) for value in there):
        for value in there:
            _type(value)
        kind = f"std::collections::HashMap<&str, {_common_type([each for value in there for each in value.values()])}>"
    elif all(isinstance(value, int) and not isinstance(value, bool) for value in there):
        kind = _integer_type(there)
    else:
        kinds = {_type(value) for value in there}
        if len(kinds) > 1 and kinds <= {"f64", *(name for name, _, _ in INTEGERS)}:
            kinds = {"f64"}
        if len(kinds) > 1:
            raise Untranslatable(
                f"its elements are of different types ({', '.join(sorted(kinds))}), and a collection in Rust holds "
                "one; pass them as parameters of their own"
            )
        kind = kinds.pop()
    return f"Option<{kind}>" if len(there) < len(values) else kind


def _expression(value: Any, kind: str) -> str:
    """A value as an expression of a type that `_type` gave."""
    if value is None:
        return "None"
    if kind.startswith("Option<"):
        return f"Some({_expression(value, kind[len('Option<') : -1])})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "f64":
        return _float(float(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    if isinstance(value, dict):
        element = kind[len("std::collections::HashMap<&str, ") : -1]
        pairs = (f"({_expression(key, '&str')}, {_expression(each, element)})" for key, each in value.items())
        return f"std::collections::HashMap::from([{', '.join(pairs)}])"
    element = kind[len("Vec<") : -1]
    return f"vec![{', '.join(_expression(each, element) for each in value)}]"


def _float(value: float) -> str:
    if math.isnan(value):
        return "f64::NAN"
    if math.isinf(value):
        return "f64::INFINITY" if value > 0 else "f64::NEG_INFINITY"
    return json.dumps(value)


def _character(character: str) -> str:
    if character in ESCAPES:
        return ESCAPES[character]
    category = unicodedata.category(character)
    if category == "Cs":
        raise Untranslatable("half of a surrogate pair is not a character")
    return f"\\u{{{ord(character):x}}}" if category in INVISIBLE else character


def register(translators: PapermillTranslators = papermill_translators) -> None:
    """Has papermill write parameters in Rust, for this kernel and for every other one of that language."""
    translators.register("oxtorch", RustTranslator)
    translators.register("rust", RustTranslator)


register()
