"""Each step of a delivery as a Prefect task."""
