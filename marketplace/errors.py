"""What the marketplace may refuse, and why."""

from __future__ import annotations

from portal.kit.errors import Problem


class InputInvalid(Problem):
    """The input does not fit the task's schema; `param` is a JSON pointer into it."""

    status = 422
    code = "input_invalid"


class ModelNotFound(Problem):
    """No such model, or none that the caller may see."""

    status = 404
    code = "model_not_found"


class ModelNotReady(Problem):
    """The model has no version yet, or it cannot be loaded."""

    status = 503
    code = "model_not_ready"
    retry_after_s = 5.0


class ModelGone(Problem):
    """The model, or this version of it, was retired."""

    status = 410
    code = "model_retired"


class ModelTakenDown(Problem):
    """An operator took the model, or this version of it, down; the details are its `category` and `reason`."""

    status = 451
    code = "model_taken_down"


class SourceInvalid(Problem):
    """What was to be imported is not what its engine runs."""

    status = 422
    code = "source_invalid"


class UploadInvalid(Problem):
    """The upload cannot be taken, or not this part of it."""

    status = 422
    code = "upload_invalid"


class DatasetInvalid(UploadInvalid):
    """The upload is no dataset that can be kept."""

    code = "dataset_invalid"


class SubmissionInvalid(UploadInvalid):
    """What a publisher sent cannot be taken, or not do what was asked of it in its state."""

    code = "submission_invalid"
