"""The versions of HighLevel's API."""

from __future__ import annotations

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["API_VERSIONS", "read_version"]

#: Values of the ``Version`` header under which associations and relations are specified.
API_VERSIONS = ("2021-07-28", "v3")


def read_version(text: str | None) -> str:
    """The value of the ``Version`` header for what a connection says; ``version-3`` is the form's word for ``v3``.

    :raises ConfigurationError: it is no version that this package speaks.
    """
    text = (text or "").strip()
    version = {"": API_VERSIONS[0], "version-3": "v3", "3": "v3"}.get(text, text)
    if version not in API_VERSIONS:
        raise ConfigurationError(f"api_version must be one of {', '.join(API_VERSIONS)} (or version-3), not {text!r}")
    return version
