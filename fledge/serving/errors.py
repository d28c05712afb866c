"""A status as TensorFlow's exception: the one kind of error between the parts of the server."""

from tensorflow.core.protobuf import error_codes_pb2
from tensorflow.python.framework.errors_impl import OpError, exception_type_from_error_code

from fledge.artifact.savedmodel import Error


def error(code: str, message: str) -> OpError:
    """Return an exception of a status code's name ("NOT_FOUND") to raise."""
    return exception_type_from_error_code(error_codes_pb2.Code.Value(code))(None, None, message)


def code_name(failure: Error | None) -> str:
    """Return the name of a failure's code, "OK" for none."""
    name: str = error_codes_pb2.Code.Name(failure.error_code if failure else 0)
    return name


def status_text(failure: Error) -> str:
    """Return a failure as messages quote it: "NOT_FOUND: Servable not found …"."""
    return f"{code_name(failure)}: {failure.message}"
