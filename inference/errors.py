"""What inference may refuse, and why."""

from __future__ import annotations

from portal.kit.errors import Problem


class Overloaded(Problem):
    """More requests wait for this model than may."""

    status = 503
    code = "overloaded"


class DeadlinePassed(Problem):
    """The model did not get to the request in time."""

    status = 504
    code = "deadline_passed"


class UpstreamFailed(Problem):
    """The upstream cannot be reached, or fails. Another replica may do."""

    status = 502
    code = "upstream_failed"


class UpstreamRefused(Problem):
    """The upstream answered that the request is wrong."""

    status = 400
    code = "upstream_refused"


class RateLimited(Problem):
    """The key's requests a minute are used up."""

    status = 429
    code = "rate_limit_exceeded"


class WrongProtocol(Problem):
    """The model's task is not carried by this protocol."""

    status = 400
    code = "wrong_protocol"


class FaultUnknown(Problem):
    """A test key asks for a fault that there is not."""

    status = 422
    code = "fault_unknown"


class ContextTooLong(Problem):
    """The prompt has more tokens than the model holds."""

    status = 400
    code = "context_length_exceeded"
