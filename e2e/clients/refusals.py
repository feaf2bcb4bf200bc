"""What schemathesis asks of answers beyond the OpenAPI document, which names no errors."""

import schemathesis


@schemathesis.check
def refusals_are_statuses(ctx, response, case):
    """Every error is a Status that says what happened."""
    if response.status_code < 400:
        return
    status = response.json()
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure"), status
    assert status["code"] == response.status_code and status["reason"] and status["message"], status


@schemathesis.check
def deletions_answer_with_a_status_or_the_object(ctx, response, case):
    """The document says Status, as upstream's does; what is held by a finalizer or a grace period comes back itself."""
    if case.method.upper() != "DELETE" or response.status_code >= 300:
        return
    body = response.json()
    kind = case.operation.definition.raw["x-kubernetes-group-version-kind"]["kind"]
    assert body["kind"] in ("Status", kind, f"{kind}List"), body
