"""What can go wrong with a request before or beside its snapshot; each has an HTTP status."""

from typing import ClassVar


class RequestError(Exception):
    """Base of refusals by the service itself; the text is shown to the sender."""

    status: ClassVar[int]
    kind: ClassVar[str]
    title: ClassVar[str]
    retry_after_s: ClassVar[int | None] = None


class MalformedBodyError(RequestError):
    """The body is not a JSON object."""

    status, kind, title = 400, "malformed-json", "The body is not a JSON object"


class BodyTooLargeError(RequestError):
    """The body has more bytes than the service reads."""

    status, kind, title = 413, "too-large", "The body is too large"


class MediaTypeError(RequestError):
    """The body is not declared as plain JSON."""

    status, kind, title = 415, "media-type", "The body is not declared as JSON"


class OverloadedError(RequestError):
    """All workers are busy and the queue is full."""

    status, kind, title, retry_after_s = 503, "overloaded", "Too many requests at once", 1


class NotReadyError(RequestError):
    """There is no usable model."""

    status, kind, title, retry_after_s = 503, "not-ready", "The service has no usable model", 30


class DeadlinePassedError(RequestError):
    """The deadline passed while the request was read or waited; nothing was decided."""

    status, kind, title = 504, "deadline-passed", "The deadline passed before the work began"
