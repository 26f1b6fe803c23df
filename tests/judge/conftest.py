"""Fixtures: a store in a temporary folder, and a client of a loopback endpoint."""

from tests.support.llm.fixtures import client as client
from tests.support.llm.fixtures import endpoint as endpoint
from tests.support.llm.fixtures import store as store
