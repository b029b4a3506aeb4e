"""Assets of the scheme ``ghl``: ``ghl://<location id>/<association key>`` is what is linked under one association of a
sub-account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Asset

__all__ = ["convert_asset_to_openlineage", "create_asset", "dataset_of", "sanitize_uri"]

_FORM = "ghl://<location id>/<association key>"


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """The URI as Airflow keeps it. HighLevel keeps the keys of associations in lower case, and the case of location ids counts.

    :raises ValueError: it is of another form.
    """
    key = uri.path.removeprefix("/")
    if not uri.netloc or "@" in uri.netloc or ":" in uri.netloc or not key or "/" in key or uri.query:
        raise ValueError(f"an asset of HighLevel must be {_FORM}")
    return uri._replace(path=f"/{key.casefold()}")


def create_asset(*, location_id: str, association_key: str, extra: dict[str, Any] | None = None) -> Asset:
    """The asset of an association in a sub-account.

    :raises ValueError: one of the two is empty.
    """
    from airflow.sdk import Asset

    return Asset(uri=f"ghl://{quote(location_id, safe='')}/{quote(association_key, safe='')}", extra=extra or {})


def dataset_of(location_id: str, association: str) -> tuple[str, str]:
    """How OpenLineage names an association in a sub-account: a namespace, and a name in it."""
    return f"ghl://{location_id}", association.casefold()


def convert_asset_to_openlineage(asset: Asset, lineage_context: Any) -> Dataset:
    """The asset under the name that loads give it in their own lineage."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    namespace, name = dataset_of(unquote(parts.netloc), unquote(parts.path.removeprefix("/")))
    return Dataset(namespace=namespace, name=name)
