"""Register block types and the documents that every platform has."""

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from blocks import artifact_store, registry
from blocks.artifact_store import ArtifactStore
from blocks.environment import DeliveryEnvironment
from blocks.registry import ImageRegistry


def register_blocks(folder: str, address: str) -> None:
    """Make the block types known, and the platform's store and registry point at `folder` and `address`."""
    with get_client(sync_client=True) as client:
        try:
            client.read_block_document_by_name(registry.NAME, "headway-image-registry")
        except ObjectNotFound:
            from prefect_aws import AwsCredentials  # slow to import, and only needed once

            for kind in (ArtifactStore, ImageRegistry, DeliveryEnvironment, AwsCredentials):
                kind.register_type_and_schema(_sync=True)  # type: ignore[call-arg]
    ArtifactStore(folder=folder).save(artifact_store.NAME, overwrite=True, _sync=True)  # type: ignore[call-arg]
    ImageRegistry(address=address).save(registry.NAME, overwrite=True, _sync=True)  # type: ignore[call-arg]
