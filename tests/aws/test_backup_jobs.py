"""Jobs of AWS Backup: what each state means, and what its errors are told with."""

from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from delivery.aws.backup_jobs import Job, token_of, vault_errors
from delivery.aws.deadlines import Deadline
from delivery.aws.rds_drill import why
from delivery.errors import Misconfigured, Rejected, Transient


def job(kind, state, message=""):
    found = {"State": state, "Status": state, "CreationDate": datetime.now(UTC), "StatusMessage": message}
    return Job(kind, "job-1", found)


@pytest.mark.parametrize("kind", ["backup", "copy", "restore"])
@pytest.mark.parametrize("state", ["CREATED", "PENDING", "RUNNING", "ABORTING", "COMPLETED"])
def test_a_job_that_goes_on_or_is_done_is_no_trouble(kind, state):
    assert job(kind, state).trouble == ""


@pytest.mark.parametrize(
    ("state", "next_step"),
    [
        ("FAILED", "look at the role of AWS Backup"),
        ("EXPIRED", "it did not begin in time"),
        ("ABORTED", "somebody stopped it"),
        ("PARTIAL", "a part is not in it, so it is no backup"),
        ("NEWER", "look at it in AWS"),
    ],
)
def test_a_job_that_is_no_success_is_told_in_awss_words_with_a_next_step(state, next_step):
    told = job("copy", state, "The key is gone.").trouble

    assert told.startswith(f"copy job job-1 is {state}: The key is gone.; next: {next_step}")
    assert "AWS Backup does not say why" in job("copy", state).trouble


@pytest.mark.parametrize(
    ("code", "status", "error", "told"),
    [
        ("AccessDeniedException", 403, Misconfigured, "no\n  next: name a vault .*; allow backup:StartCopyJob to"),
        ("ResourceNotFoundException", 400, Misconfigured, "no\n  next: name a vault that is there"),
        ("UnrecognizedClientException", 403, Misconfigured, "no\n  next: enable eu-west-1 in the account"),
        ("InvalidParameterValueException", 400, Rejected, "AWS backup StartCopyJob: .*no"),
        ("ThrottlingException", 400, Transient, "no"),
        ("ServiceUnavailableException", 503, Transient, "no"),
    ],
)
def test_an_error_of_a_vault_is_sorted_and_names_vault_region_and_action(code, status, error, told):
    answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}

    with pytest.raises(error, match=told) as raised:
        with vault_errors("eu-west-1", "shop-copy", "backup:StartCopyJob"):
            raise ClientError(answer, "StartCopyJob")

    if error is Misconfigured:
        assert raised.value.where == "vault shop-copy of AWS Backup in eu-west-1"


def test_a_token_is_the_same_of_the_same_alone():
    assert token_of("run-1", "point") == token_of("run-1", "point")
    assert token_of("run-1", "point") != token_of("run-1p", "oint")


def test_a_deadline_that_is_over_says_so_with_what_it_ended():
    over = Deadline(0)

    with pytest.raises(Rejected, match="ended at its deadline of 0 s"):
        over.left()
    assert why(Rejected("not available yet"), over) == "ended at its deadline of 0 s: not available yet"
    assert why(Rejected("not available yet"), Deadline(60)) == "not available yet"
