"""Register block types and the documents that every platform has."""

from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.filesystems import LocalFileSystem, WritableFileSystem

from blocks import artifact_store, registry
from blocks.artifact_store import ArtifactStore
from blocks.environment import DeliveryEnvironment
from blocks.registry import ImageRegistry
from delivery.state import is_in_bucket, parts_of

RESULTS = "headway-results"


def register_blocks(store: str, registry_address: str, results: str, lock: str = "") -> None:
    """Make the block types known, and the platform's store, registry and results point at what is given.

    Results are in a storage that is found by name: a run is carried on by whoever can load it.
    """
    with get_client(sync_client=True) as client:
        try:
            client.read_block_document_by_name(registry.NAME, "headway-image-registry")
        except ObjectNotFound:
            from prefect_aws import AwsCredentials  # slow to import, and only needed once

            for kind in (ArtifactStore, ImageRegistry, DeliveryEnvironment, AwsCredentials):
                kind.register_type_and_schema(_sync=True)  # type: ignore[call-arg]
    ArtifactStore(address=store, lock=lock).save(artifact_store.NAME, overwrite=True, _sync=True)  # type: ignore[call-arg]
    ImageRegistry(address=registry_address).save(registry.NAME, overwrite=True, _sync=True)  # type: ignore[call-arg]
    keep_results(results)


def keep_results(address: str) -> None:
    """Make `address` where it is kept what steps return: in a bucket as whom AWS's own programs find."""
    storage: WritableFileSystem = LocalFileSystem(basepath=address)
    if is_in_bucket(address):
        from prefect_aws import AwsCredentials, S3Bucket  # slow to import

        bucket, prefix = parts_of(address)
        storage = S3Bucket(bucket_name=bucket, bucket_folder=prefix, credentials=AwsCredentials())
    storage.save(RESULTS, overwrite=True, _sync=True)  # type: ignore[call-arg]


def registered_store() -> str | None:
    """Return where the platform keeps its store that this server has the blocks of; none: it has no platform's."""
    with get_client(sync_client=True) as client:
        try:
            document = client.read_block_document_by_name(artifact_store.NAME, "headway-artifact-store")
        except ObjectNotFound:
            return None
    return str(document.data.get("address") or document.data["folder"])  # as earlier versions called it
