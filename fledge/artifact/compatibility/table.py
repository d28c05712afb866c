"""What a change of the contract is to an old client, a kind of change a row. docs/compatibility.md is made of this.

An old client sends yesterday's requests and reads yesterday's answers, both by yesterday's contract. It looks for an
output by its name and ignores others. What TensorFlow Serving does is read in its source (predict_util.cc, json_tensor.cc)
and held by tests/artifact/test_old_clients.py.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from fledge.artifact.compatibility.promises import Column, is_missing, ordinary, promised, same
from fledge.artifact.versioning import Level

Part = Literal["contract", "input", "output"]

# What an old client gets. refused: an error, for some request that was answered. answer: an answer that the old contract
# rules out. meaning: an answer as promised that means something else, so no request can show it. nothing: what it had.
Sight = Literal["refused", "answer", "meaning", "nothing"]

UNWRITTEN = {"float16", "bfloat16", "uint16", "complex64", "complex128"}  # what TensorFlow Serving has no JSON for
LATEST = float("inf")


def _always(old: Any, new: Any) -> bool:
    return True


class Rule(NamedTuple):
    """One kind of change. Of the rows of a field the first whose `when` holds counts; `field` None is the part itself.

    `when` gets the whole part, before and after: of an input or output that is new or gone one is None.
    """

    part: Part
    field: str | None
    change: str
    level: Level
    sight: Sight
    why: str
    when: Callable[[Any, Any], bool] = _always


def _reordered(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return sorted(old["classes"]) == sorted(new["classes"])


def _form(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return (len(old["outputs"]) == 1) != (len(new["outputs"]) == 1)


def _unwritten(old: Any, new: Mapping[str, Any]) -> bool:
    return new["dtype"] in UNWRITTEN


def _gone(old: Any, new: Any) -> bool:
    return new is None


def _taken(old: Column, new: Column) -> bool:
    return old.get("missing") is None and ordinary(old, new["missing"])


def _stated(field: str) -> Callable[[Any, Any], bool]:
    return lambda old, new: old.get(field) is None


def _dropped(field: str) -> Callable[[Any, Any], bool]:
    return lambda old, new: new.get(field) is None


def _still_read(old: Column, new: Column) -> bool:
    return old.get("missing") is not None and promised(new, old["missing"])


def _permuted(old: Column, new: Column) -> bool:
    return not _without(old, new) and not _without(new, old)


def _lost(old: Column, new: Column) -> bool:
    return any(not promised(new, value) for value in old.get("known") or [])


def _demoted(old: Column, new: Column) -> bool:
    return any(not ordinary(new, value) and not is_missing(new, value) for value in _without(old, new))


def _without(old: Column, new: Column) -> list[Any]:
    """The known values of `old` that `new` does not know."""
    known = new.get("known") or []
    return [value for value in old.get("known") or [] if not any(same(old, value, one) for one in known)]


def _leaves(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether an answer within the new range may be outside the old one."""
    return old.get("range") is not None and not _within(new.get("range"), old["range"])


def _narrower(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return old.get("range") is not None and not _within(old["range"], new.get("range"))


def _within(inner: Any, outer: Any) -> bool:
    return inner is not None and outer is not None and bool(outer[0] <= inner[0] and inner[1] <= outer[1])


def _later(old: Column, new: Column) -> bool:
    before, after = (LATEST if one.get("known_at") is None else one["known_at"] for one in (old, new))
    return bool(after > before)


TABLE = [
    Rule("contract", "signature", "is another", "major", "refused",
         "an old client asks for the old name, or for none and means serving_default: the server knows neither"),
    Rule("contract", "classes", "are in another order", "major", "meaning",
         "the same number is another class's chance, and nothing in the answer says so", _reordered),
    Rule("contract", "classes", "are others", "major", "meaning",
         "an old client takes an answer for one of the classes that it knows"),
    Rule("contract", "outputs", "were one and are several, or the other way round", "major", "answer",
         "REST answers with a bare value where there is one output, with an object where there are several", _form),
    Rule("input", None, "is gone", "major", "refused",
         "an old client sends it still: gRPC and REST in rows refuse an input too many, only REST in columns ignores it",
         _gone),
    Rule("input", None, "is new", "major", "refused",
         "an old client does not send it, and no input is optional: REST demands them all, and gRPC takes fewer only "
         "of a signature with `defaults`, which do not help REST"),
    Rule("input", "dtype", "is another", "major", "refused",
         "gRPC refuses a tensor of another type, even int32 for int64; REST may read the same JSON"),
    Rule("input", "missing", "is stated, and was an ordinary value", "major", "meaning",
         "an old client sends that value and means it", _taken),
    Rule("input", "missing", "is stated", "minor", "nothing", "nothing was promised of that value", _stated("missing")),
    Rule("input", "missing", "is another or none, the old one an ordinary value", "major", "meaning",
         "an old client sends it for \"not known\", and it is taken for known", _still_read),
    Rule("input", "missing", "is another or none", "major", "refused",
         "an old client sends the old one for \"not known\", and no model need answer it any more"),
    Rule("input", "means", "is another, stated, or none", "minor", "nothing",
         "a client that says \"not known\" gets an answer by the model's guess, as before: a guess is learnt, like a weight"),
    Rule("input", "unknown", "is none", "major", "refused",
         "an old client may send a category outside `known`, and no model need answer it any more", _dropped("unknown")),
    Rule("input", "unknown", "is another or stated", "minor", "nothing",
         "a category that the model never saw is answered by the model's guess, as before"),
    Rule("input", "known", "is in another order", "patch", "nothing", "the same values are known", _permuted),
    Rule("input", "known", "lost a value, or is none", "major", "refused",
         "an old client sends that value, and no model need answer it any more", _lost),
    Rule("input", "known", "lost a value to `unknown`", "major", "meaning",
         "an old client sends that value and means it, and it is read as unknown", _demoted),
    Rule("input", "known", "has more values or is stated", "minor", "nothing", "what was known is known"),
    Rule("input", "range", "is narrower or none", "major", "refused",
         "an old client sends values that no model need answer any more, or reads as the nearest end", _narrower),
    Rule("input", "range", "is wider or stated", "minor", "nothing", "what was in range is in range"),
    Rule("input", "monotone", "is stated", "minor", "nothing", "a promise more", _stated("monotone")),
    Rule("input", "monotone", "is another or none", "major", "answer",
         "a client may rely on it: more of the input now moves an answer the other way"),
    Rule("input", "known_at", "is later or none", "major", "meaning",
         "an old client asks when the value is not known yet, and sends an older one", _later),
    Rule("input", "known_at", "is earlier or stated", "minor", "nothing", "whoever asks knows it by then"),
    Rule("output", None, "is gone", "major", "answer", "an old client looks for it", _gone),
    Rule("output", None, "is new, of a type without JSON", "major", "refused",
         "the server cannot write it, and REST then refuses the whole answer", _unwritten),
    Rule("output", None, "is new", "minor", "nothing",
         "beside several outputs an old client finds its own by their names, by gRPC even with an output_filter"),
    Rule("output", "dtype", "is another", "major", "answer", "an old client reads another field of the tensor"),
    Rule("output", "shape", "is another", "major", "answer", "an old client reads as many numbers as it knows"),
    Rule("output", "range", "is wider or none", "major", "answer",
         "an old client may get what it was promised never to get", _leaves),
    Rule("output", "range", "is narrower or stated", "minor", "nothing", "every answer was possible before"),
]  # fmt: skip
