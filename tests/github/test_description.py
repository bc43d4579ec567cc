"""What GitHub's OpenAPI description says here is what GitHub says."""

import json
import shutil
import subprocess

import pytest

from tests.support.github_description import PACKAGE, described, excerpt, problems_of_answer, problems_of_request

STATUSES = f"/repos/acme/shop/statuses/{'a' * 40}"


@pytest.mark.long
@pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm to get the description with")
def test_the_excerpt_is_what_github_describes(tmp_path):
    packed = subprocess.run(
        ["npm", "pack", "--silent", PACKAGE], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    member = "package/generated/api.github.com.json"
    subprocess.run(["tar", "xzf", packed.stdout.strip(), member], cwd=tmp_path, check=True)

    whole = json.loads((tmp_path / member).read_text())

    assert excerpt(whole) == described()


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "found"),
    [
        ("POST", STATUSES, {}, {"state": "ok"}, "is not one of"),
        ("POST", STATUSES, {}, {}, "'state' is a required property"),
        ("POST", STATUSES, {}, {"state": "success", "contxt": "x"}, "contxt: not described"),
        ("GET", "/repos/acme/shop/deployments", {"enviroment": "x"}, None, "no such parameter"),
        ("POST", "/repos/acme/shop/status", {}, {}, "no such operation"),
    ],
)
def test_a_request_that_github_does_not_describe_is_noticed(method, path, query, body, found):
    assert found in " ".join(problems_of_request(method, path, query, body))


@pytest.mark.parametrize(("status", "body"), [(201, {"state": "success"}), (418, {})])
def test_an_answer_that_github_does_not_describe_is_noticed(status, body):
    assert problems_of_answer("POST", STATUSES, status, body) != []
