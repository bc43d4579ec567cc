"""What is asked for by hand is explained in the UI's form, and refused there when it makes no sense."""

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import PrefectHTTPStatusError

from tests.flows.test_deployments import DEPLOYMENTS, flow_of

BY_HAND = [one for one in DEPLOYMENTS if one.get("parameters") and one["name"] != "by-event"]
IDS = [f"{flow_of(one['entrypoint']).name}/{one['name']}" for one in BY_HAND]
BAD = [
    {"environment": "Production!"},
    {"environment": ["production"]},
    {"revision": "--upload-pack=x"},
    {"revision": "main; reboot"},
    {"steal": "anybody at all"},
    {"project": ""},
]


def schema_of(deployment):
    return flow_of(deployment["entrypoint"]).parameters.model_dump()


def test_the_names_that_people_type_are_there():
    assert set(IDS) >= {"deliver/local", "deliver/staging", "deliver/production", "rollback/production"}


@pytest.mark.parametrize("deployment", BY_HAND, ids=IDS)
def test_every_parameter_is_explained_in_the_form_and_checked_before_there_is_a_run(deployment):
    described = schema_of(deployment)["properties"]

    assert [name for name, one in described.items() if not one.get("description")] == []
    assert deployment["enforce_parameter_schema"] is True
    assert deployment["parameters"]["environment"] == {"local": "production"}.get(
        deployment["name"], deployment["name"]
    )


@pytest.mark.prefect
@pytest.mark.xdist_group("prefect")
def test_what_makes_no_sense_is_refused_before_there_is_a_run(server):
    deployment = next(one for one in BY_HAND if one["name"] == "production")
    flow = flow_of(deployment["entrypoint"])
    with get_client(sync_client=True) as client:
        registered = client.create_deployment(
            client.create_flow(flow),
            deployment["name"],
            parameters=deployment["parameters"],
            parameter_openapi_schema=schema_of(deployment),
            enforce_parameter_schema=deployment["enforce_parameter_schema"],
        )
        there = client.read_deployment(registered)
        refused = [_refusal(client, registered, bad) for bad in BAD]
        started = client.create_flow_run_from_deployment(registered, parameters={"revision": "v1.2"})
        client.delete_flow_run(started.id)

    assert there.parameter_openapi_schema["properties"]["revision"]["description"] == "Commit, branch or tag."
    assert refused == [409] * len(BAD)


def _refusal(client, deployment, parameters):
    with pytest.raises(PrefectHTTPStatusError) as refused:
        client.create_flow_run_from_deployment(deployment, parameters=parameters)
    return refused.value.response.status_code
