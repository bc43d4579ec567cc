"""A first `headway.yaml` from what lies in a folder, with every guess said aloud."""

from delivery.discovery.draft import Draft as Draft
from delivery.discovery.first_file import discover as discover
