"""What inference may refuse, and why."""

from __future__ import annotations

from marketplace.errors import ModelNotReady
from portal.kit.errors import Problem


class Overloaded(Problem):
    """More requests wait for this model than may."""

    status = 503
    code = "overloaded"
    retry_after_s = 1.0


class AtReplica(Problem):
    """A place where the model runs did not answer; `replica` is which, once the router has said so."""

    replica: str = ""


class UpstreamBusy(Overloaded, AtReplica):
    """The upstream says that it has too much to do (429, 503). Another replica may do."""


class DeadlinePassed(AtReplica):
    """The model did not get to the request in time."""

    status = 504
    code = "deadline_passed"
    retry_after_s = 1.0


class UpstreamFailed(AtReplica):
    """The upstream cannot be reached, or fails. Another replica may do."""

    status = 502
    code = "upstream_failed"
    retry_after_s = 1.0


class Unloadable(ModelNotReady, AtReplica):
    """The version cannot be loaded at this replica: whoever asks it meets the same."""


class Stopped(Problem):
    """Its caller called it off before there was an answer."""

    status = 499
    code = "canceled"


class UpstreamRefused(Problem):
    """The upstream answered that the request is wrong."""

    status = 400
    code = "upstream_refused"


class RateLimited(Problem):
    """A limit of the key is used up for now."""

    status = 429
    code = "rate_limit_exceeded"
    retry_after_s = 1.0


class TokensExceeded(Problem):
    """The request may use more tokens than the key's limit ever lets through: waiting does not help."""

    status = 429
    code = "tokens_exceeded"


class WrongProtocol(Problem):
    """The model's task is not carried by this protocol."""

    status = 400
    code = "wrong_protocol"


class FaultUnknown(Problem):
    """The fault that is asked for does not exist, or is not for this key."""

    status = 422
    code = "fault_unknown"


class ContextTooLong(Problem):
    """The prompt has more tokens than the model holds."""

    status = 400
    code = "context_length_exceeded"
