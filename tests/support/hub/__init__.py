"""A Hugging Face Hub on loopback: real HTTP, spoken to by the real `huggingface_hub` and `datasets` clients.

    with LoopbackHub(folder) as hub:
        HfApi(endpoint=hub.url, token=hub.token).list_datasets()

`python -m tests.support.hub FOLDER --port 8900` serves a folder as a playground.
"""

from tests.support.hub.faults import Fault, Faults
from tests.support.hub.hub import LoopbackHub
from tests.support.hub.repos import Blob, Repo

__all__ = ["Blob", "Fault", "Faults", "LoopbackHub", "Repo"]
