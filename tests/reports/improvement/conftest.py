"""One application for a module's tests."""

from tests.access.conftest import client as client
