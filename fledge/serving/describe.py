"""What the server says of a model without running it: the states of its versions, and its signatures."""

from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from fledge.serving.errors import error
from fledge.serving.models import Models, Version

FIELD = "signature_def"


def status(spec: model_pb2.ModelSpec, models: Models) -> get_model_status_pb2.GetModelStatusResponse:
    """Return the state of every version, or of the one asked for; a label is ignored. Raise NOT_FOUND for none."""
    known = models.statuses(spec.name)
    number = spec.version.value if spec.HasField("version") else None
    chosen = [version for version in known if number in (None, version.number)]
    if number is not None and not chosen:
        raise error("NOT_FOUND", f"Could not find version {number} of model {spec.name}")
    if not chosen:
        raise error("NOT_FOUND", f"Could not find any versions of model {spec.name}")
    return get_model_status_pb2.GetModelStatusResponse(model_version_status=[_state(version) for version in chosen])


def _state(version: Version) -> get_model_status_pb2.ModelVersionStatus:
    state = get_model_status_pb2.ModelVersionStatus(version=version.number, state=version.state)
    state.status.SetInParent()
    if version.failure:
        state.status.error_code = version.failure.error_code
        state.status.error_message = version.failure.message
    return state


def signatures(spec: model_pb2.ModelSpec, models: Models) -> tuple[int, get_model_metadata_pb2.SignatureDefMap]:
    """Return the version that answers and its signatures."""
    with models.use(spec) as servable:
        return servable.number, get_model_metadata_pb2.SignatureDefMap(signature_def=servable.model.signatures)


def metadata(
    request: get_model_metadata_pb2.GetModelMetadataRequest, models: Models
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Return the signatures of the version asked for, the only field of metadata there is."""
    if not request.HasField("model_spec"):
        raise error("INVALID_ARGUMENT", "Missing ModelSpec")
    if not request.metadata_field:
        raise error("INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != FIELD:
            raise error("INVALID_ARGUMENT", f"Metadata field {field} is not supported")
    number, found = signatures(request.model_spec, models)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = number
    response.metadata[FIELD].Pack(found)
    return response
