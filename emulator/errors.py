"""BigQuery's errors: one table of reasons, one exception, one rendering.

Source of codes and reasons: BigQuery's "Error messages" page.
"""
from __future__ import annotations

# reason -> (HTTP code, google.rpc status)
REASONS = {
    "invalid": (400, "INVALID_ARGUMENT"),
    "invalidQuery": (400, "INVALID_ARGUMENT"),
    "invalidParameter": (400, "INVALID_ARGUMENT"),
    "badRequest": (400, "INVALID_ARGUMENT"),
    "parseError": (400, "INVALID_ARGUMENT"),
    "required": (400, "INVALID_ARGUMENT"),
    "resourceInUse": (400, "FAILED_PRECONDITION"),
    "resourcesExceeded": (400, "INVALID_ARGUMENT"),
    "tableUnavailable": (400, "FAILED_PRECONDITION"),
    "timeout": (400, "DEADLINE_EXCEEDED"),
    "authError": (401, "UNAUTHENTICATED"),
    "accessDenied": (403, "PERMISSION_DENIED"),
    "billingTierLimitExceeded": (400, "INVALID_ARGUMENT"),
    "bytesBilledLimitExceeded": (400, "INVALID_ARGUMENT"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "quotaExceeded": (403, "RESOURCE_EXHAUSTED"),
    "rateLimitExceeded": (403, "RESOURCE_EXHAUSTED"),
    "responseTooLarge": (403, "PERMISSION_DENIED"),
    "notFound": (404, "NOT_FOUND"),
    "methodNotAllowed": (405, "INVALID_ARGUMENT"),
    "duplicate": (409, "ALREADY_EXISTS"),
    "aborted": (409, "ABORTED"),
    "conditionNotMet": (412, "FAILED_PRECONDITION"),
    "uploadTooLarge": (413, "INVALID_ARGUMENT"),
    "notImplemented": (501, "UNIMPLEMENTED"),
    "stopped": (499, "CANCELLED"),
    # Of Cloud Storage.
    "notModified": (304, "OK"),
    "conflict": (409, "ALREADY_EXISTS"),
    "requestedRangeNotSatisfiable": (416, "OUT_OF_RANGE"),
    # A fault of the emulator itself. Not 500 or 503: the clients retry those for ten minutes.
    "emulatorFault": (501, "INTERNAL"),
}


class ApiError(Exception):
    """An error that a caller gets to see.

    reason: a key of REASONS; message: BigQuery's own words where they are known;
    location: what the error is about, as the real service names it ("query", "q", a file);
    errors: further error entries ({reason, message, location}), as load jobs report them.
    """

    def __init__(self, reason: str, message: str, location: str | None = None, errors: list[dict] = ()):
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.location = location
        self.errors = list(errors)

    @property
    def code(self) -> int:
        return REASONS[self.reason][0]

    @property
    def entry(self) -> dict:
        """The error as an ErrorProto, the form it has in a job's status: {reason, location, message}."""
        entry = {"reason": self.reason, "message": self.message}
        if self.location:
            entry["location"] = self.location
        return entry

    @property
    def body(self) -> dict:
        """The error as the body of an HTTP answer."""
        code, status = REASONS[self.reason]
        detail = {"message": self.message, "domain": "global", "reason": self.reason}
        if self.location:
            detail |= {"location": self.location, "locationType": "parameter" if code == 400 else "other"}
        return {"error": {"code": code, "message": self.message, "errors": [detail], "status": status}}


def not_found(kind: str, name: str, location: str | None = None) -> ApiError:
    """`Not found: Table p:d.t was not found in location US`; the tail only where the service says it."""
    tail = f" was not found in location {location}" if location else ""
    return ApiError("notFound", f"Not found: {kind} {name}{tail}")


def unsupported(what: str) -> ApiError:
    """What the embedded BigQuery does not do yet, named."""
    return ApiError("notImplemented", f"The embedded BigQuery does not support {what} yet.")
