"""Whom Prefect tells when what runs by itself has failed: a notification block of the user's, by an automation."""

from uuid import UUID

from prefect.automations import AutomationCore, EventTrigger, Posture, SendNotification
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from delivery.errors import Misconfigured

SETTING = "HEADWAY_NOTIFY"
NOBODY = "nobody"
AUTOMATION = "headway: what runs by itself has failed"
EARLIER = "headway: what runs every night has failed"  # what earlier versions called it
DEPLOYMENT = "nightly"
UNWATCHED = (DEPLOYMENT, "arrivals", "by-event")  # what deployments.yaml calls what nobody watches
ENDS = ("Failed", "Crashed", "TimedOut", "Rejected", "Withdrawn", "Misconfigured", "Drifted", "Vulnerable")
SUBJECT = "Headway: {{ flow.name }} ended {{ flow_run.state.name }}"
BODY = """{{ flow.name }} ({{ flow_run.name }}) ended {{ flow_run.state.name }}:
{{ flow_run.state.message }}
run: {{ (flow_run|ui_url) or flow_run.id }}"""


def notify_by(block: str) -> None:
    """Make `block`, a `TYPE/NAME` like `slack-webhook/team`, be told of what fails by itself; `nobody` ends that.

    Its address and secrets stay in the block. Raises Misconfigured when there is no such block.
    """
    with get_client(sync_client=True) as client:
        if earlier := client.find_automation(EARLIER):
            client.delete_automation(earlier.id)
        known = client.find_automation(AUTOMATION)
        if block == NOBODY:
            if known:
                client.delete_automation(known.id)
            return
        wanted = _automation(_find(client, block))
        if known is None:
            client.create_automation(wanted)
        else:
            client.update_automation(known.id, wanted)


def _automation(block: UUID) -> AutomationCore:
    trigger = EventTrigger(
        expect={f"prefect.flow-run.{name}" for name in ENDS},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "deployment", "prefect.resource.name": [*UNWATCHED]},
        posture=Posture.Reactive,
        threshold=1,
    )
    action = SendNotification(block_document_id=block, subject=SUBJECT, body=BODY)
    return AutomationCore(
        name=AUTOMATION, description="`headway up` made it.", enabled=True, trigger=trigger, actions=[action]
    )


def _find(client: SyncPrefectClient, block: str) -> UUID:
    """Return the id of a notification block."""
    kind, _, name = block.partition("/")
    where, next_step = f"{SETTING}={block}", "make it in the Prefect UI, under Blocks, or by `prefect block create`"
    try:
        schema = client.get_most_recent_block_schema_for_block_type(client.read_block_type_by_slug(kind).id)
        if schema is None or "notify" not in schema.capabilities:
            raise Misconfigured(where, f"{kind} sends no notifications", "TYPE/NAME, as slack-webhook/team", next_step)
        return client.read_block_document_by_name(name, kind, include_secrets=False).id
    except ObjectNotFound as error:
        raise Misconfigured(where, "there is no such block", "TYPE/NAME, as slack-webhook/team", next_step) from error
