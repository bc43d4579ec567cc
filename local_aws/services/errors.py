"""The error of an operation of ours. moto's own class must not be raised: its module is taken for that of a service."""

from moto.core.exceptions import ServiceException


class Refusal(ServiceException):
    """An operation is not done: an error code of the service, and a message."""
