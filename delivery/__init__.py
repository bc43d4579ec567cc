"""What a delivery is: models, decisions and the hands that carry them out, none of which knows Prefect."""
